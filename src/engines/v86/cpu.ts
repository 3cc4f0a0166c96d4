/** One I/O port of v86. */
interface Port {
  write32(value: number): void;
}

/** A serial line's UART. */
export interface Uart {
  /** Bytes that the guest has not taken yet. */
  readonly input: number[];
  /** Bit 0: the guest has switched the FIFO on. */
  readonly fifo_control: number;
  data_received(byte: number): void;
}

/** One drive of an IDE channel. */
export interface IdeDrive {
  status_reg: number;
  /** What the guest reads of the last command. */
  readonly data: Uint8Array;
  readonly channel: { dma_status: number };
  ata_command(command: number): void;
  ata_abort_command(): void;
  cancel_io_operations(): void;
  push_irq(): void;
}

/** The devices of a PC, as far as this engine uses them. */
interface Devices {
  readonly uart0: Uart;
  readonly uart1: Uart;
  readonly ide: { readonly primary?: { readonly master: IdeDrive; readonly slave: IdeDrive } };
  readonly pci: {
    readonly isa_bridge_space8: Uint8Array;
    /** Configuration spaces by bus, device and function. */
    readonly device_spaces: readonly (Int32Array | undefined)[];
    readonly devices: readonly ({ readonly pci_bars: readonly unknown[] } | undefined)[];
  };
  readonly virtio_9p: { tag_bufchain: Map<number, unknown> };
}

/**
 * The vCPU state of a snapshot: these views of v86's, in full. The four that describe the last
 * arithmetic operation are not among them, because a capture folds them into `flags`.
 */
export const CPU_STATE = [
  "reg32",
  "instruction_pointer",
  "previous_ip",
  "flags",
  "sreg",
  "segment_is_null",
  "segment_offsets",
  "segment_limits",
  "segment_access_bytes",
  "cr",
  "dreg",
  "cpl",
  "protected_mode",
  "is_32",
  "stack_size_32",
  "tss_size_32",
  "idtr_size",
  "idtr_offset",
  "gdtr_size",
  "gdtr_offset",
  "sysenter_cs",
  "sysenter_esp",
  "sysenter_eip",
  "fpu_st",
  "fpu_stack_empty",
  "fpu_stack_ptr",
  "fpu_control_word",
  "fpu_status_word",
  "fpu_opcode",
  "fpu_ip",
  "fpu_ip_selector",
  "fpu_dp",
  "fpu_dp_selector",
  "reg_xmm32s",
  "mxcsr",
  "reg_pdpte",
] as const;

/** v86 shows each part of its processor's state as a typed array. */
type View = Int32Array | Uint32Array | Uint16Array | Uint8Array;

/**
 * The parts of v86's processor that this engine uses. They are not its public API: the package is
 * pinned to one version, and the engine's contract tests run over every one of them.
 */
export interface Cpu extends Readonly<Record<typeof CPU_STATE[number], View>> {
  readonly flags_changed: Int32Array;
  readonly in_hlt: Uint8Array;
  readonly memory_size: Uint32Array;
  /** Do not hold on to this view: v86 makes a new one at each access, because memory grows. */
  readonly mem8: Uint8Array<ArrayBuffer>;
  readonly io: {
    readonly ports: Port[];
    create_empty_entry(): Port;
    port_write8(port: number, value: number): void;
    mmap_register(
      at: number,
      size: number,
      read8: (at: number) => number,
      write8: (at: number, value: number) => void,
      read32: (at: number) => number,
      write32: (at: number, value: number) => void,
    ): void;
  };
  readonly devices: Devices;
  handle_irqs(): void;
  /** Called by the reset lines of the keyboard controller and the PCI bridge. */
  reboot_internal(): void;
  reset_cpu(): void;
  main_loop(): number;
  get_eflags(): number;
  update_state_flags(): void;
  full_clear_tlb(): void;
  jit_clear_cache(): void;
  write_blob(bytes: Uint8Array, at: number): void;
}
