import type { BlockDrive, HostDevice, VfioDevice, VhostUserDevice } from "../host/host_device.ts";
import { optionText, type OptionValue } from "./option_text.ts";
import {
  imageFormat,
  notRenderable,
  part,
  type Rendering,
  type RenderOptions,
  type UndoStep,
  type WaitFor,
} from "./rendering.ts";

type Options = { readonly [name: string]: OptionValue };

/** The bus of Kata's SCSI controller, which the machine must have. */
const SCSI_BUS = "scsi0.0";
/** Kata's queue of a file system. */
const FS_QUEUE_SIZE = 1024;

/** Without a bus QEMU takes the first one, and not every first bus takes devices later. */
const BUS_NOTE = "on a q35 machine say with bus= which root port it goes to";

/** One object of QEMU: how it is made and unmade, over QMP and on the command line. */
interface Part {
  readonly add: { readonly execute: string; readonly arguments: Options };
  /** `undefined` where QEMU cannot take it out. */
  readonly remove: { readonly execute: string; readonly arguments: Options } | undefined;
  readonly words: readonly string[];
}

/**
 * Commands for QEMU's monitor and words for its command line. What a device stands on comes first
 * and goes last, and goes only after DEVICE_DELETED: until then QEMU still uses it.
 */
export function renderQemu(device: HostDevice, options: RenderOptions = {}): Rendering {
  switch (device.kind) {
    case "block":
      return renderBlock(device, part(device.block), options);
    case "vfio":
      return renderVfio(part(device.vfio), options);
    case "vhost-user-blk-pci":
    case "vhost-user-scsi-pci":
    case "virtio-net-pci":
    case "vhost-user-fs-pci":
      return renderVhostUser(device, part(device.vhostUser), options);
    case "rng": {
      const { id, filename } = part(device.rng);
      return hot([
        object("rng-random", `${id}-source`, { filename }),
        plugged("virtio-rng-pci", id, { rng: `${id}-source`, ...placeOf(options) }),
      ], busNotes(options));
    }
    case "virtio-9p": {
      const { id, source, tag, readOnly } = part(device.sharedFolder);
      const fsdev = { id: `${id}-fs`, path: source, security_model: "none", readonly: readOnly };
      const mount = { id, fsdev: fsdev.id, mount_tag: tag, ...placeOf(options) };
      return cold(
        [
          ...["-fsdev", `local,${optionText(fsdev)}`],
          ...["-device", `virtio-9p-pci,${optionText(mount)}`],
        ],
        [],
      );
    }
    case "virtio-fs":
      return notRenderable(device, "qemu", "it shares folders through a vhost-user-fs socket only");
    case "generic":
      return notRenderable(device, "qemu", "no hypervisor passes character devices on");
  }
}

function renderBlock(device: HostDevice, block: BlockDrive, options: RenderOptions): Rendering {
  const { id } = block;
  const frontend = `virtio-${id}`;
  const share = block.shareRw ? { "share-rw": true } : {};
  switch (block.driver) {
    case "nvdimm":
      return renderNvdimm(device, block);
    case "virtio-scsi": {
      const [target = 0, unit = 0] = (block.scsiAddr ?? "0:0").split(":").map(Number);
      const address = { bus: SCSI_BUS, channel: 0, "scsi-id": target, lun: unit };
      return hot(
        [blockNode(block), plugged("scsi-hd", frontend, { drive: id, ...share, ...address })],
        [`the machine must have a virtio-scsi controller of bus ${SCSI_BUS}`],
      );
    }
    case "virtio-blk": {
      const place = placeOf(options);
      return hot([
        blockNode(block),
        plugged("virtio-blk-pci", frontend, { drive: id, ...share, ...place }),
      ], busNotes(options));
    }
    case "virtio-blk-ccw": {
      const devno = block.devNo === undefined ? {} : { devno: block.devNo };
      return hot([
        blockNode(block),
        plugged("virtio-blk-ccw", frontend, { drive: id, ...share, ...devno }),
      ]);
    }
    case "virtio-mmio": {
      const disk = plugged("virtio-blk-device", frontend, { drive: id, ...share });
      return cold([...blockNode(block).words, ...disk.words], [
        "QEMU plugs no virtio-mmio devices while it runs",
      ]);
    }
  }
}

function renderNvdimm(device: HostDevice, block: BlockDrive): Rendering {
  const { id, file, sizeBytes, readOnly } = block;
  if (sizeBytes === undefined || sizeBytes === 0n) {
    return notRenderable(device, "qemu", `the size of ${file} is not known`);
  }
  const memory = `nvdimmbackmem${id}`;
  const backing = { "mem-path": file, size: Number(sizeBytes), share: !readOnly };
  const onlyRead = readOnly ? { readonly: true } : {};
  const dimm = plugged("nvdimm", `nvdimm${id}`, {
    memdev: memory,
    ...(readOnly ? { unarmed: true } : {}),
  });
  return hot(
    [
      object("memory-backend-file", memory, { ...backing, ...onlyRead }),
      { ...dimm, remove: undefined },
    ],
    [
      "the machine needs nvdimm=on, and -m with slots and maxmem",
      "QEMU takes no nvdimm out: the step back is for when it was not taken in",
    ],
  );
}

function renderVfio(devices: readonly VfioDevice[], options: RenderOptions): Rendering {
  const parts = devices.map(({ id, type, bdf, sysfsDev, bus }) =>
    plugged("vfio-pci", id, {
      ...(type === "mediated" ? { sysfsdev: sysfsDev } : { host: bdf }),
      ...(bus === "" ? placeOf(options) : { bus }),
    })
  );
  const tight = devices.find(({ largeBar, bus }) => largeBar && bus === "");
  if (tight === undefined) {
    return hot(parts, devices.every(({ bus }) => bus !== "") ? [] : busNotes(options));
  }
  return cold(parts.flatMap(({ words }) => words), [
    `a memory region of ${tight.bdf} above 4 GiB does not fit behind a bridge of a running machine`,
  ]);
}

function renderVhostUser(
  device: HostDevice,
  { type, devId, socketPath, macAddress, tag, cacheSize }: VhostUserDevice,
  options: RenderOptions,
): Rendering {
  const chardev = `char-${devId}`;
  const socket = socketBackend(chardev, socketPath);
  const place = placeOf(options);
  const notes = [
    "the guest's memory must be shared (memory-backend with share=on)",
    ...busNotes(options),
  ];
  switch (type) {
    case "vhost-user-blk-pci":
    case "vhost-user-scsi-pci":
      return hot([socket, plugged(type, devId, { chardev, ...place })], notes);
    case "virtio-net-pci": {
      const netdev = `netdev-${devId}`;
      const backend = { type: "vhost-user", id: netdev, chardev, vhostforce: true };
      const mac = macAddress === undefined ? {} : { mac: macAddress };
      return hot([
        socket,
        {
          add: { execute: "netdev_add", arguments: backend },
          remove: { execute: "netdev_del", arguments: { id: netdev } },
          words: ["-netdev", optionText(backend).replace("type=", "")],
        },
        plugged(type, devId, { netdev, ...mac, ...place }),
      ], notes);
    }
    case "vhost-user-fs-pci": {
      if (tag === undefined) return notRenderable(device, "qemu", "the file system has no tag");
      const cache = cacheSize === undefined || cacheSize === 0
        ? {}
        : { "cache-size": `${cacheSize}M` };
      const queue = { "queue-size": FS_QUEUE_SIZE };
      const mount = plugged(type, devId, { chardev, tag, ...queue, ...cache, ...place });
      return cold([...socket.words, ...mount.words], notes);
    }
  }
}

function blockNode(block: BlockDrive): Part {
  const node = {
    driver: imageFormat(block),
    "node-name": block.id,
    "read-only": block.readOnly,
    cache: { direct: false, "no-flush": false },
    file: {
      driver: block.isDevice ? "host_device" : "file",
      filename: block.file,
      aio: "threads",
    },
  };
  return {
    add: { execute: "blockdev-add", arguments: node },
    remove: { execute: "blockdev-del", arguments: { "node-name": block.id } },
    words: ["-blockdev", optionText(node)],
  };
}

function object(type: string, id: string, options: Options): Part {
  return {
    add: { execute: "object-add", arguments: { "qom-type": type, id, ...options } },
    remove: { execute: "object-del", arguments: { id } },
    words: ["-object", `${type},${optionText({ id, ...options })}`],
  };
}

function socketBackend(id: string, path: string): Part {
  const addr = { type: "unix", data: { path } };
  return {
    add: {
      execute: "chardev-add",
      arguments: { id, backend: { type: "socket", data: { server: false, addr } } },
    },
    remove: { execute: "chardev-remove", arguments: { id } },
    words: ["-chardev", `socket,${optionText({ id, path })}`],
  };
}

function plugged(driver: string, id: string, options: Options): Part {
  return {
    add: { execute: "device_add", arguments: { driver, id, ...options } },
    remove: { execute: "device_del", arguments: { id } },
    words: ["-device", `${driver},${optionText({ id, ...options })}`],
  };
}

function placeOf({ bus, addr }: RenderOptions): Options {
  return { ...(bus === undefined ? {} : { bus }), ...(addr === undefined ? {} : { addr }) };
}

function busNotes({ bus }: RenderOptions): readonly string[] {
  return bus === undefined ? [BUS_NOTE] : [];
}

function hot(parts: readonly Part[], notes: readonly string[] = []): Rendering {
  const undo: UndoStep[] = [];
  const waitFor: WaitFor[] = [];
  for (let at = parts.length - 1; at >= 0; at--) {
    const remove = parts[at]?.remove;
    if (remove === undefined) continue;
    if (remove.execute === "device_del") {
      const device = String(remove.arguments["id"]);
      waitFor.push({ afterUndo: undo.length, event: "DEVICE_DELETED", data: { device } });
    }
    undo.push({ type: "qmp", ...remove, undoes: at });
  }
  return {
    plug: "hot",
    steps: parts.map(({ add }) => ({ type: "qmp", ...add })),
    undo,
    waitFor,
    commandLine: parts.flatMap(({ words }) => words),
    notes,
  };
}

function cold(words: readonly string[], notes: readonly string[]): Rendering {
  return {
    plug: "cold",
    steps: [{ type: "arguments", arguments: words }],
    undo: [],
    waitFor: [],
    commandLine: words,
    notes,
  };
}
