/** What the problems of devices come from, and what to do: cause and advice of each code. */
export const HELP_OF_DEVICES = {
  "device-not-found": [
    "No device is registered under this id.",
    "Look at `GET /v1/devices`, or register it.",
  ],
  "no-such-device": [
    "The host has no device with these numbers.",
    "Compare the numbers with `ls -l` of the device file; the device may have been taken out.",
  ],
  "device-path-escapes": [
    "The name of the device leads out of /dev, so it is not trusted.",
    "Give the numbers of a real device of the host.",
  ],
  "device-unreadable": [
    "What sysfs says of the device cannot be read or understood.",
    "Read in `detail` which file it is, and whether the daemon may read it.",
  ],
  "wrong-device-kind": [
    "The operation is for another kind of device.",
    "Look at the device's `kind`: simple devices hand out inode numbers, multi devices map files.",
  ],
  "mapping-not-found": [
    "Nothing is mapped there, or not exactly so.",
    "List the mappings and name one as it is listed.",
  ],
  "mapping-conflict": [
    "The virtual inode belongs to another file, or the file has another one.",
    "Look both up, and free the mapping that is wrong.",
  ],
  "minors-exhausted": [
    "All minors of anonymous devices are taken.",
    "Delete anonymous devices that nobody needs.",
  ],
  "inodes-exhausted": [
    "The device has handed out all its numbers, and numbers are never handed out twice.",
    "Create another device and go on with that.",
  ],
  "mappings-exhausted": [
    "There are as many mappings as are taken.",
    "Free mappings that nobody needs.",
  ],
  "device-attached": [
    "Somebody holds the device.",
    "Release all its holders, then delete it.",
  ],
  "device-not-attached": [
    "Nobody holds the device, so it is plugged nowhere.",
    "Hold it first, with `PUT …/holders/{holder}`.",
  ],
  "device-in-use": [
    "Another sandbox has the device, and one of the two may write to it.",
    "Release and delete it there, or let both have it read-only or share it.",
  ],
  "device-differs": [
    "The sandbox has this device already, and was told other things of it.",
    "Delete it and register it anew, or ask for it as it is.",
  ],
  "devices-exhausted": [
    "There are as many host devices as are taken.",
    "Delete devices that nobody holds.",
  ],
  "block-indexes-exhausted": [
    "All places of drives in the sandbox are taken.",
    "Release block devices of the sandbox.",
  ],
  "root-ports-exhausted": [
    "All root ports of the sandbox's machine are taken.",
    "Release VFIO devices of the sandbox.",
  ],
  "iommu-group-unusable": [
    "The IOMMU group has no device that can be passed on, or one that is not bound to vfio.",
    "Bind all devices of the group to vfio-pci, and hold it again.",
  ],
  "not-persistent-memory": [
    "The file does not begin as persistent memory does.",
    "Make it with a tool for NVDIMM images, or register it as another kind.",
  ],
  "not-renderable": [
    "The hypervisor cannot take such a device, or the device has no numbers yet.",
    "Read `reason`: hold the device first, or choose another hypervisor or driver.",
  ],
  "image-version": [
    "The image was saved by a version of Innkeeper with another form.",
    "Restore it with that version, or save it anew.",
  ],
  "image-contradicts": [
    "The image says things that cannot both be true, such as one number for two files.",
    "Use an image as it was saved; this one was changed.",
  ],
  "image-stale": [
    "The registry has changed since the version that `If-Match` names.",
    "Read the image again, decide again, and send its new ETag.",
  ],
  "device-set-differs": [
    "The registry has other devices than the image, and `mode=match` takes only the same.",
    "Make the devices the same, or restore into an empty registry with `mode=load`.",
  ],
  "registry-not-empty": [
    "The registry has devices, and `mode=load` takes only an empty one.",
    "Delete them, or use `mode=match`.",
  ],
} as const;
