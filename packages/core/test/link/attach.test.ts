import { expect, test } from "vitest";
import { ATTACH } from "../../src/link/grpc.ts";
import { loadProto } from "../../src/message/proto-root.ts";

test("the method that a link is dialled by is the one of link.proto", () => {
  const service = loadProto("metanode/v1/link.proto").lookupService("metanode.v1.Link");
  const { Attach: attach, ...others } = service.methods;
  expect(others).toEqual({});
  expect(ATTACH.path).toBe(`/${service.fullName.slice(1)}/${attach?.name}`);
  expect([ATTACH.requestStream, ATTACH.responseStream]).toEqual([attach?.requestStream, attach?.responseStream]);
});
