/** One I/O port of v86, as its io module keeps it. */
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
  /** What the last command gives to the guest. */
  readonly data: Uint8Array;
  readonly channel: { dma_status: number };
  ata_command(command: number): void;
  ata_abort_command(): void;
  cancel_io_operations(): void;
  push_irq(): void;
}

/** The devices of a PC, as far as they are set up or served from here. */
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
 * The parts of v86's processor that this engine uses. They are not its public API: the package is
 * pinned to one version, and the engine's contract tests run over every one of them.
 */
export interface Cpu {
  readonly reg32: Int32Array;
  readonly instruction_pointer: Int32Array;
  readonly previous_ip: Int32Array;
  readonly flags: Int32Array;
  readonly flags_changed: Int32Array;
  readonly last_op_size: Int32Array;
  readonly last_op1: Int32Array;
  readonly last_result: Int32Array;
  readonly sreg: Uint16Array;
  readonly segment_is_null: Uint8Array;
  readonly segment_offsets: Int32Array;
  readonly segment_limits: Uint32Array;
  readonly segment_access_bytes: Uint8Array;
  readonly cr: Int32Array;
  readonly dreg: Int32Array;
  readonly cpl: Uint8Array;
  readonly protected_mode: Int32Array;
  readonly is_32: Int32Array;
  readonly stack_size_32: Int32Array;
  readonly tss_size_32: Int32Array;
  readonly idtr_size: Int32Array;
  readonly idtr_offset: Int32Array;
  readonly gdtr_size: Int32Array;
  readonly gdtr_offset: Int32Array;
  readonly sysenter_cs: Int32Array;
  readonly sysenter_esp: Int32Array;
  readonly sysenter_eip: Int32Array;
  readonly fpu_st: Int32Array;
  readonly fpu_stack_empty: Uint8Array;
  readonly fpu_stack_ptr: Uint8Array;
  readonly fpu_control_word: Uint16Array;
  readonly fpu_status_word: Uint16Array;
  readonly fpu_opcode: Int32Array;
  readonly fpu_ip: Int32Array;
  readonly fpu_ip_selector: Int32Array;
  readonly fpu_dp: Int32Array;
  readonly fpu_dp_selector: Int32Array;
  readonly reg_xmm32s: Int32Array;
  readonly mxcsr: Int32Array;
  readonly reg_pdpte: Int32Array;
  readonly in_hlt: Uint8Array;
  readonly memory_size: Uint32Array;
  /** Never keep it or its buffer: v86 makes the view anew at each access, since memory grows. */
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
  /** What the keyboard controller's and the PCI bridge's reset lines do. */
  reboot_internal(): void;
  reset_cpu(): void;
  main_loop(): number;
  get_eflags(): number;
  update_state_flags(): void;
  full_clear_tlb(): void;
  jit_clear_cache(): void;
  write_blob(bytes: Uint8Array, at: number): void;
}
