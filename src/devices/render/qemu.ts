import type { BlockDrive, HostDevice, VfioDevice, VhostUserDevice } from "../host/host_device.ts";
import { type ImageFormat, imageFormat, requireRaw, requireShareable } from "./image_format.ts";
import { optionText, type OptionValue } from "./option_text.ts";
import { coldArguments, hot, part, refuse } from "./plugging.ts";
import type { Rendering, RenderOptions, Step } from "./rendering.ts";

type Options = { readonly [name: string]: OptionValue };

/** The bus of Kata's SCSI controller. The machine must have one. */
const SCSI_BUS = "scsi0.0";
/** Kata's queue of a file system. */
const FS_QUEUE_SIZE = 1024;

/** Without a bus QEMU takes the first one, and on q35 that one takes no devices while it runs. */
const BUS_NOTE = "on a q35 machine say with bus= which root port it goes to";

interface Command {
  readonly execute: string;
  readonly arguments: Options;
}

/** One object of QEMU: how it is made and unmade, over QMP and on the command line. */
interface Part {
  readonly add: Command;
  /** `undefined` where QEMU cannot take it out. */
  readonly remove: Command | undefined;
  readonly args: readonly string[];
}

/**
 * Commands for QEMU's monitor, and arguments for its command line. What a device is built on comes
 * first and goes last. It may go only after DEVICE_DELETED, because QEMU uses it until then.
 */
export function renderQemu(device: HostDevice, options: RenderOptions = {}): Rendering {
  switch (device.kind) {
    case "block":
      return renderBlock(part(device.block), options);
    case "vfio":
      return renderVfio(part(device.vfio), options);
    case "vhost-user-blk-pci":
    case "vhost-user-scsi-pci":
    case "virtio-net-pci":
    case "vhost-user-fs-pci":
      return renderVhostUser(part(device.vhostUser), options);
    case "rng": {
      const { id, filename } = part(device.rng);
      return hotParts([
        object("rng-random", `${id}-source`, { filename }),
        plugged("virtio-rng-pci", id, { rng: `${id}-source`, ...placeOf(options) }),
      ], busNotes(options));
    }
    case "virtio-9p": {
      const { id, source, tag, readOnly } = part(device.sharedFolder);
      const fsdev = { id: `${id}-fs`, path: source, security_model: "none", readonly: readOnly };
      const mount = { id, fsdev: fsdev.id, mount_tag: tag, ...placeOf(options) };
      return coldArguments([
        ...["-fsdev", `local,${optionText(fsdev)}`],
        ...["-device", `virtio-9p-pci,${optionText(mount)}`],
      ]);
    }
    case "virtio-fs":
      return refuse("it shares folders through a vhost-user-fs socket only");
    case "generic":
      return refuse("no hypervisor passes character devices on");
  }
}

function renderBlock(block: BlockDrive, options: RenderOptions): Rendering {
  const { id, driver, devNo, scsiAddr = "0:0" } = block;
  requireShareable(block);
  const node = blockNode(block);
  const disk = (type: string, place: Options = {}): Part =>
    plugged(type, `virtio-${id}`, {
      drive: id,
      ...(block.shareRw ? { "share-rw": true } : {}),
      ...place,
    });
  switch (driver) {
    case "nvdimm":
      return renderNvdimm(block);
    case "virtio-scsi": {
      const [target = 0, unit = 0] = scsiAddr.split(":").map(Number);
      const address = { bus: SCSI_BUS, channel: 0, "scsi-id": target, lun: unit };
      return hotParts([node, disk("scsi-hd", address)], [
        `the machine must have a virtio-scsi controller of bus ${SCSI_BUS}`,
      ]);
    }
    case "virtio-blk":
      return hotParts([node, disk("virtio-blk-pci", placeOf(options))], busNotes(options));
    case "virtio-blk-ccw":
      return hotParts([node, disk(driver, devNo === undefined ? {} : { devno: devNo })]);
    case "virtio-mmio":
      return coldArguments([...node.args, ...disk("virtio-blk-device").args], [
        "QEMU plugs no virtio-mmio devices while it runs",
      ]);
  }
}

function renderNvdimm(block: BlockDrive): Rendering {
  requireRaw(block);
  const { id, file, sizeBytes, readOnly } = block;
  if (sizeBytes === undefined || sizeBytes === 0n) {
    return refuse(`the size of ${file} is not known`);
  }
  const memory = `nvdimmbackmem${id}`;
  const backing = { "mem-path": file, size: Number(sizeBytes), share: !readOnly };
  const onlyRead = readOnly ? { readonly: true } : {};
  const dimm = plugged("nvdimm", `nvdimm${id}`, {
    memdev: memory,
    ...(readOnly ? { unarmed: true } : {}),
  });
  return hotParts(
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
    return hotParts(parts, devices.every(({ bus }) => bus !== "") ? [] : busNotes(options));
  }
  return coldArguments(parts.flatMap(({ args }) => args), [
    `a memory region of ${tight.bdf} above 4 GiB does not fit behind a bridge of a running machine`,
  ]);
}

function renderVhostUser(
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
    case "vhost-user-blk-pci": {
      // QEMU asks for one queue per CPU otherwise, and refuses a backend that has fewer.
      const device = { chardev, "num-queues": 1, ...place };
      return hotParts([socket, plugged(type, devId, device)], notes);
    }
    case "vhost-user-scsi-pci":
      return hotParts([socket, plugged(type, devId, { chardev, ...place })], notes);
    case "virtio-net-pci": {
      const netdev = `netdev-${devId}`;
      const backend = { type: "vhost-user", id: netdev, chardev, vhostforce: true };
      const mac = macAddress === undefined ? {} : { mac: macAddress };
      return hotParts([
        socket,
        {
          add: { execute: "netdev_add", arguments: backend },
          remove: { execute: "netdev_del", arguments: { id: netdev } },
          args: ["-netdev", optionText(backend).replace("type=", "")],
        },
        plugged(type, devId, { netdev, ...mac, ...place }),
      ], notes);
    }
    case "vhost-user-fs-pci": {
      if (tag === undefined) return refuse("the file system has no tag");
      const hasWindow = cacheSize !== undefined && cacheSize !== 0;
      const queue = { "queue-size": FS_QUEUE_SIZE };
      const mount = plugged(type, devId, { chardev, tag, ...queue, ...place });
      return coldArguments([...socket.args, ...mount.args], [
        ...notes,
        ...(hasWindow
          ? ["QEMU has no window of shared memory: cacheSize makes no difference"]
          : []),
      ]);
    }
  }
}

function blockNode(block: BlockDrive): Part {
  const node = {
    driver: formatDriver(imageFormat(block)),
    "node-name": block.id,
    "read-only": block.readOnly,
    cache: { direct: false, "no-flush": block.cacheType === "unsafe" },
    file: {
      driver: block.isDevice ? "host_device" : "file",
      filename: block.file,
      aio: "threads",
    },
  };
  return {
    add: { execute: "blockdev-add", arguments: node },
    remove: { execute: "blockdev-del", arguments: { "node-name": block.id } },
    args: ["-blockdev", optionText(node)],
  };
}

/** What QEMU calls an image format. */
function formatDriver(format: ImageFormat): string {
  if (format === "luks") refuse("it opens LUKS images with a key only, and none is known here");
  return format === "vhd" ? "vpc" : format;
}

function object(type: string, id: string, options: Options): Part {
  return {
    add: { execute: "object-add", arguments: { "qom-type": type, id, ...options } },
    remove: { execute: "object-del", arguments: { id } },
    args: ["-object", `${type},${optionText({ id, ...options })}`],
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
    args: ["-chardev", `socket,${optionText({ id, path })}`],
  };
}

function plugged(driver: string, id: string, options: Options): Part {
  return {
    add: { execute: "device_add", arguments: { driver, id, ...options } },
    remove: { execute: "device_del", arguments: { id } },
    args: ["-device", `${driver},${optionText({ id, ...options })}`],
  };
}

function placeOf({ bus, addr }: RenderOptions): Options {
  return { ...(bus === undefined ? {} : { bus }), ...(addr === undefined ? {} : { addr }) };
}

function busNotes({ bus }: RenderOptions): readonly string[] {
  return bus === undefined ? [BUS_NOTE] : [];
}

function hotParts(parts: readonly Part[], notes: readonly string[] = []): Rendering {
  const step = (command: Command): Step => ({ type: "qmp", ...command });
  const moves = parts.map(({ add, remove }) => ({ step: step(add), undo: remove && step(remove) }));
  const rendering = hot(moves, notes, parts.flatMap(({ args }) => args));
  const waitFor = rendering.undo.flatMap((undo, afterUndo) =>
    undo.type === "qmp" && undo.execute === "device_del"
      ? [{ afterUndo, event: "DEVICE_DELETED", data: { device: String(undo.arguments["id"]) } }]
      : []
  );
  return { ...rendering, waitFor };
}
