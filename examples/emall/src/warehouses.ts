import { type ConvertRequest, type ConvertResult, defineFlow, meta } from "@metanode/nature";

/** Several warehouses: the keys of an order's context say which of them it goes to. Their values are no matter of routing. */
export const warehousesFlow = defineFlow({
  metas: {
    order: meta("B:order:1"),
    self: meta("B:warehouse/self:1"),
    third: meta("B:warehouse/third:1"),
  },
  executors: { multi_warehouse: multiWarehouse },
  relations: (relate) => [
    relate("order", "self", { selector: { context: { all: ["self"] } }, executor: "multi_warehouse" }),
    relate("order", "third", { selector: { context: { all: ["third"] } }, executor: "multi_warehouse" }),
  ],
});

/** Hands the order on as it is. */
function multiWarehouse({ from }: ConvertRequest): ConvertResult {
  return { type: "instances", instances: [{ content: from.content }] };
}
