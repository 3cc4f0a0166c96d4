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
/** Bytes that SHUTDOWN reads of its message, the last of which is taken as its end. */
export const SHUTDOWN_MESSAGE_BYTES = 128;

/** Vectors whose entries are ignored: NMI, double fault, the spurious one, the doorbell's. */
export const IGNORED_VECTORS: ReadonlySet<number> = new Set([2, 8, 15, 31]);
/** Vectors that exist. */
export const VECTORS = 256;
/** Pages that SET_STACK may name. */
export const STACK_PAGES_MAX = 2;

/** A hypercall. The fourth argument, in esi, is used by none. */
export interface HypercallArguments {
  readonly number: number;
  readonly first: number;
  readonly second: number;
  readonly third: number;
}
