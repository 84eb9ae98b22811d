import parse, { type Info } from "spdx-expression-parse";

/** What a licence asks of those who pass on a work that contains the package. */
export type LicenseKind = "permissive" | "weak_copyleft" | "strong_copyleft" | "unknown" | "missing";

/** A judged licence. */
export interface LicenseVerdict {
  readonly kind: LicenseKind;
  /** As the lockfile gives it; null where it gives none. */
  readonly expression: string | null;
  /** Whether it is a licence expression as SPDX defines it (https://spdx.github.io/spdx-spec, annex "SPDX license expressions"). */
  readonly isValid: boolean;
}

type Asked = Exclude<LicenseKind, "missing">;

/** From what asks least to what asks most. What nobody knows may ask anything short of what is certain. */
const ORDER: readonly Asked[] = ["permissive", "weak_copyleft", "unknown", "strong_copyleft"];

/*
 * By family, since SPDX gives every version of a licence an id of its own. Sources: the Blue Oak Council's list of
 * permissive licences (https://blueoakcouncil.org/list) and the FSF's comments on licences
 * (https://www.gnu.org/licenses/license-list.html). Licences that forbid a use (non-commercial, no derivatives, source
 * available) are none of the three: they stay unknown, so that somebody looks.
 */
const FAMILIES: readonly (readonly [Asked, RegExp])[] = [
  [
    "strong_copyleft",
    /^(A?GPL-|SSPL-|OSL-|NPOSL-|RPL-|Parity-|Sleepycat$|CECILL-[12]|CC-BY-SA-|CC-SA-|ODbL-|GFDL-|EUPL-|QPL-|CPAL-|CAL-1\.0|copyleft-next-|CERN-OHL-S-|CDLA-Sharing-|LiLiQ-Rplus-)/,
  ],
  [
    "weak_copyleft",
    /^(LGPL-|LGPLLR$|MPL-|EPL-|CDDL-|CPL-|IPL-|MS-RL$|CECILL-C$|OFL-|APSL-|NPL-|SPL-|ErlPL-|CERN-OHL-W-|LPPL-|LiLiQ-R-|CUA-OPL-)/,
  ],
  [
    "permissive",
    /^(MIT$|MIT-|MITNFA$|ISC$|0BSD$|BSD-[1234]-Clause(-(Patent|Views|Clear|LBNL|Attribution|Modification|Shortened|UC|HP|Sun|Darwin))?$|BSD-Source-Code$|BSL-1\.0$|Apache-|AFL-|AAL$|Artistic-2\.0$|BlueOak-|Beerware$|CC0-|CC-BY-[1-4]|CC-PDDC$|CC-PDM-|CDLA-Permissive-|CECILL-B$|CERN-OHL-P-|CNRI-Python|curl$|ECL-|EFL-|Fair$|FSFAP$|FTL$|HPND$|ICU$|IJG$|Libpng$|libpng-2\.0$|MS-PL$|MulanPSL-|NCSA$|NTP$|ODC-By-|OLDAP-2\.8$|OpenSSL$|PDDL-|PHP-3|PostgreSQL$|PSF-|Python-|Ruby$|SGI-B-2\.0$|SMLNJ$|TCL$|Unicode-(3|DFS)|Unlicense$|UPL-|Vim$|W3C(-|$)|WTFPL$|X11$|Xnet$|Zend-2\.0$|Zlib$|zlib-acknowledgement$|ZPL-2|blessing$|bzip2-)/,
  ],
];

/** Exceptions that let a work be linked or compiled with, under terms of its own. */
const LINKING_EXCEPTION =
  /^(Classpath|GCC|GNAT|GNU-compiler|OpenJDK-assembly|GPL-3\.0-linking|LGPL-3\.0-linking|OCaml-LGPL-linking|WxWindows|FLTK|eCos|freertos|Libtool|Autoconf|Bison|Font|u-boot|Linux-syscall-note|Universal-FOSS|Qwt|mif|i2p-gpl-java|LLVM|Swift)/;

/**
 * Judges the `license` field of a lockfile entry. Old packages have a list or an object there instead of an expression:
 * a list means any of them, and neither is valid SPDX.
 */
export function judgeLicense(given: unknown): LicenseVerdict {
  if (Array.isArray(given) && given.length > 0) {
    const each = given.map(judgeLicense);
    const expression = each.map((one) => one.expression ?? "?").join(" or ");
    return { kind: anyOf(each.map(({ kind }) => (kind === "missing" ? "unknown" : kind))), expression, isValid: false };
  }
  if (typeof given === "object" && given !== null && "type" in given) return { ...judgeLicense(given.type), isValid: false };
  if (isNothing(given)) return { kind: "missing", expression: null, isValid: false };
  if (typeof given !== "string") return { kind: "unknown", expression: JSON.stringify(given), isValid: false };
  try {
    return { kind: kindOf(parse(given)), expression: given, isValid: true };
  } catch {
    // The parser's way of saying that it is no expression; free text such as "SEE LICENSE IN x" can mean anything.
    return { kind: "unknown", expression: given, isValid: false };
  }
}

function isNothing(given: unknown): boolean {
  if (typeof given === "object" && given !== null) return Object.keys(given).length === 0;
  return given === undefined || given === null || (typeof given === "string" && given.trim() === "");
}

/** All of these apply together: the one that asks most decides. */
export function allOf(kinds: readonly Asked[]): Asked {
  return ORDER[Math.max(...kinds.map((kind) => ORDER.indexOf(kind)))] ?? "unknown";
}

/** The user may choose: the one that asks least decides. */
export function anyOf(kinds: readonly Asked[]): Asked {
  return ORDER[Math.min(...kinds.map((kind) => ORDER.indexOf(kind)))] ?? "unknown";
}

function kindOf(info: Info): Asked {
  if ("conjunction" in info) {
    const sides = [kindOf(info.left), kindOf(info.right)];
    return info.conjunction === "and" ? allOf(sides) : anyOf(sides);
  }
  const kind = FAMILIES.find(([, pattern]) => pattern.test(info.license))?.[0] ?? "unknown";
  const isLoosened = info.exception !== undefined && LINKING_EXCEPTION.test(info.exception);
  return isLoosened && kind === "strong_copyleft" ? "weak_copyleft" : kind;
}
