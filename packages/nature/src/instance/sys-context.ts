/** The keys of the engine's context that the engine and its built-ins know. @source spec of the workflow model, §6.1 */

/** Where a target with states is: its id, in decimal digits. */
export const TARGET_ID = "target.id";
/** And its para. */
export const TARGET_PARA = "target.para";
/** `[name, value]` pairs for the settings of the next step's executors, as JSON. */
export const DYNAMIC_PARA = "para.dynamic";
/** The number of a loop's pass. */
export const LOOP_ID = "loop.id";
/** The whole key of the last instance that a pass has read. */
export const LOOP_NEXT = "loop.next";
/** Stands there, with whatever value, when a loop is to end. */
export const LOOP_FINISHED = "loop.finished";
/** The mission of the next pass, as JSON. */
export const LOOP_TASK = "loop.task";
