import { answerOf } from "@metanode/client";
import { useQuery } from "@tanstack/react-query";
import { api, type Views } from "../api.ts";

export type Role = Views["Token"]["role"];

const RANKS: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/**
 * What a button for something that needs a role has: nothing, or that it is disabled and why. The node refuses it anyway;
 * this only says so beforehand.
 */
export function useMay(needs: Role): { disabled?: boolean; title?: string } {
  const { data } = useQuery({
    queryKey: ["whoami"],
    queryFn: () => answerOf(api.GET("/api/v1/whoami")),
    refetchInterval: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (data === undefined || RANKS[data.role] >= RANKS[needs]) return {};
  return { disabled: true, title: `This needs the role ${needs}; your token has ${data.role}.` };
}
