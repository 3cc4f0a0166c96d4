/** What names a file in a device of the host (gVisor's MultiDeviceKey). */
export interface MappingKey {
  readonly device: bigint;
  /** Empty for none. */
  readonly secondaryDevice: string;
  readonly inode: bigint;
}

/** A file of some device, and its number on a multi device. */
export interface Mapping {
  readonly key: MappingKey;
  readonly virtualInode: bigint;
}

/** A key as one text. The free part comes last, so that no two keys have the same text. */
export function keyText({ device, secondaryDevice, inode }: MappingKey): string {
  return `${device} ${inode} ${secondaryDevice}`;
}

/** Whether two keys name the same file. */
export function isSameKey(a: MappingKey, b: MappingKey): boolean {
  return a.device === b.device && a.inode === b.inode && a.secondaryDevice === b.secondaryDevice;
}

/** A key as gVisor's String() shows it. */
export function showKey({ device, secondaryDevice, inode }: MappingKey): string {
  return `key{device: ${device}, sdevice: ${secondaryDevice}, inode: ${inode}}`;
}

/** A mapping as gVisor's String() shows it. */
export function showMapping({ key, virtualInode }: Mapping): string {
  return `${showKey(key)} -> ${virtualInode}`;
}
