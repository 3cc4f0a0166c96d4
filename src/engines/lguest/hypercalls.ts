/** I/O port of the doorbell: `out %eax, $0x1f` calls the host (lguest's `int $0x1f`). */
export const DOORBELL_PORT = 0x1f;

/** Version of the ABI; a guest finds it in eax at its first instruction. */
export const ABI_VERSION = 1;

/** Numbers of the hypercalls, as in lguest. Those that belong to page tables are left out. */
export const HYPERCALL = {
  FLUSH_ASYNC: 0,
  LGUEST_INIT: 1,
  SHUTDOWN: 2,
  LOAD_IDT_ENTRY: 6,
  SET_STACK: 7,
  SET_CLOCKEVENT: 9,
  HALT: 10,
  NOTIFY: 17,
  SEND_INTERRUPTS: 19,
} as const;

/** Second argument of SHUTDOWN: start again. Every other value means off. */
export const SHUTDOWN_RESTART = 2;
/** Bytes that SHUTDOWN reads of its message. The last of them ends it, whatever it is. */
export const SHUTDOWN_MESSAGE_BYTES = 128;

/**
 * Vectors that LOAD_IDT_ENTRY ignores, as lguest does: NMI, double fault, the spurious interrupt and
 * the doorbell's.
 */
export const IGNORED_VECTORS: ReadonlySet<number> = new Set([2, 8, 15, 31]);
/** Number of vectors that a processor has. */
export const VECTORS = 256;
/** Pages that SET_STACK may name. */
export const STACK_PAGES_MAX = 2;

/** A hypercall. No call uses a fourth argument, which would be in esi. */
export interface HypercallArguments {
  readonly number: number;
  readonly first: number;
  readonly second: number;
  readonly third: number;
}
