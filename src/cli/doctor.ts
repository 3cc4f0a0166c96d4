import { command } from "./command.ts";
import { EXIT } from "./exit.ts";

/** What is looked at, by a name, and the shell's way to find it out: Deno may not read /proc. */
const LOOKS = {
  kernel: "uname -r",
  fuse: "test -r /dev/fuse -a -w /dev/fuse && echo yes",
  capabilities: "sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status",
  // Either of both ends a connection of which one request takes longer.
  timeout: "{ echo 0; cat /proc/sys/fs/fuse/default_request_timeout " +
    "/proc/sys/fs/fuse/max_request_timeout 2>/dev/null; } | sort -n | tail -n 1",
} as const;

type Facts = Readonly<Record<keyof typeof LOOKS, string>>;

/** One thing that the host should have. */
interface Finding {
  readonly name: string;
  readonly isFine: boolean;
  readonly found: string;
  /** What does not work without it. */
  readonly without: string;
}

const CAP_SYS_ADMIN = 1n << 21n;

/** What follows from the facts of a host. */
export function findings(facts: Facts): readonly Finding[] {
  const [major = 0, minor = 0] = facts.kernel.split(".").map((part) => Number.parseInt(part));
  const isAtLeast = (wanted: number): boolean => major > 6 || major === 6 && minor >= wanted;
  const isAdmin = (BigInt(`0x${facts.capabilities || "0"}`) & CAP_SYS_ADMIN) !== 0n;
  return [
    {
      name: "kernel",
      isFine: isAtLeast(9),
      found: facts.kernel,
      without: "mapping files of the mount wants Linux 6.9; map the page files in the run folder",
    },
    {
      name: "/dev/fuse",
      isFine: facts.fuse === "yes",
      found: facts.fuse === "yes" ? "can be opened" : "cannot be opened",
      without: "--mount does not work; use the sockets, and the page files in the run folder",
    },
    {
      name: "CAP_SYS_ADMIN",
      isFine: isAdmin,
      found: isAdmin ? "held" : "not held",
      without: "--mount does not work for this user, and nothing of a mount can be mapped",
    },
    {
      name: "FUSE request time-out",
      isFine: facts.timeout === "0",
      found: facts.timeout === "0" ? "off" : `${facts.timeout} s`,
      without: "one blocking read that takes longer ends the whole mount; set " +
        "fs.fuse.default_request_timeout and max_request_timeout to 0",
    },
  ];
}

async function look(): Promise<Facts> {
  const found = await Promise.all(
    Object.entries(LOOKS).map(async ([name, script]) => {
      const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
      return [name, new TextDecoder().decode(stdout).trim()] as const;
    }),
  );
  return Object.fromEntries(found) as Facts;
}

/** `innkeeper doctor`: what this host can do for the mount. It asks no daemon. */
export const doctor = command({
  name: "doctor",
  summary: "say what this host can do, and what degrades without it",
  details: "It looks at what `serve --mount` needs. Whatever is missing makes it fail (11).",
  examples: ["doctor", "doctor --json"],
  isLocal: true,
  async run() {
    const rows = findings(await look());
    const table = rows.map(({ name, isFine, found, without }) =>
      isFine ? `ok    ${name}: ${found}` : `WARN  ${name}: ${found}; without it: ${without}`
    );
    const missing = rows.filter(({ isFine }) => !isFine).map(({ name }) => name);
    if (missing.length === 0) return { rows, table };
    return { rows, table, status: EXIT.refused, note: `This host lacks ${missing.join(", ")}` };
  },
});
