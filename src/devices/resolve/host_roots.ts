/** Where on the host to look. Tests and the configuration can move each of them. */
export interface HostRoots {
  /** Holds `char` and `block`, named by major:minor. */
  readonly sysDev: string;
  /** Holds the device files. */
  readonly dev: string;
  /** Kata's store, which holds `block/devices` and `block/sockets`; `undefined` for none. */
  readonly vhostStore: string | undefined;
  /** Holds the IOMMU groups by number. */
  readonly iommuGroups: string;
  /** Holds the PCI devices by address. */
  readonly pciDevices: string;
  /** Holds the PCI slots. */
  readonly pciSlots: string;
}

/** Where a Linux host has them. */
export const HOST_ROOTS: HostRoots = {
  sysDev: "/sys/dev",
  dev: "/dev",
  vhostStore: undefined,
  iommuGroups: "/sys/kernel/iommu_groups",
  pciDevices: "/sys/bus/pci/devices",
  pciSlots: "/sys/bus/pci/slots",
};
