/** What the problems of inodes come from, and what to do: cause and advice of each code. */
export const HELP_OF_INODES = {
  "root-not-found": [
    "The daemon knows no root of this name.",
    "Start it with `--root NAME=FOLDER`, or use a name that it has.",
  ],
  "outside-root": [
    "The path leads out of its root, perhaps through a symbolic link.",
    "Use a path that stays below the root.",
  ],
  "root-read-only": [
    "The root was given to the daemon for reading only.",
    "Start the daemon with the root for writing, or open the file with `access: ro`.",
  ],
  "file-not-found": [
    "There is no file at this path below the root.",
    "Correct the path, or let the open make it with `create`.",
  ],
  "file-exists": [
    "A file is there already, and the request wants a new one.",
    "Use another path, or open the one that is there.",
  ],
  "file-not-permitted": [
    "The host does not let the daemon use this file so.",
    "Correct the file's permissions or owner for the daemon's user.",
  ],
  "not-a-file": [
    "The path names a folder, a device or something else that is no regular file.",
    "Use the path of a regular file.",
  ],
  "inode-not-found": [
    "No inode with this id is open: its last holder is gone, or the daemon was restarted.",
    "Open the file again with `POST /v1/inodes`.",
  ],
  "inode-mode-differs": [
    "The file is open with another access or cache mode, and all who open it share one inode.",
    "Open it in the same way, or wait until its holders are gone.",
  ],
  "inode-stale": [
    "The content is not the version that the request names.",
    "Read it again, decide again, and send the new ETag.",
  ],
  "inode-mapped": [
    "Somebody has mapped the inode, so it cannot be closed.",
    "Remove its mappings first.",
  ],
  "not-mapped": [
    "Nobody has mapped all of the range that is to be translated.",
    "Add the mapping first, or translate less.",
  ],
  "reference-not-found": [
    "There is no reference of exactly this range.",
    "Remove a reference with the range with which it was added.",
  ],
  "inode-read-only": [
    "The inode is open for reading only, as remote files always are.",
    "Open the file with `access: rw`.",
  ],
  "holder-not-found": [
    "No holder of this name holds the inode: its lease ran out, or it ended its hold.",
    "Open the file again under this name.",
  ],
  "open-inodes-exhausted": [
    "As many inodes are open as are taken.",
    "End holds of inodes that nobody needs.",
  ],
  "holders-exhausted": [
    "There are as many holders as are taken.",
    "End holds that are not needed, or open with leases, so that those of dead programs end.",
  ],
  "backing-failed": [
    "The file behind the inode could not be read or written. Bytes that were acknowledged " +
    "stay in the cache.",
    "Read `detail`, mend the disk or the connection, and try again. Write-back is tried " +
    "again by itself.",
  ],
  "backing-full": [
    "The file system behind the inode is full. Bytes that were acknowledged stay in the cache.",
    "Free space there and try again. Write-back is tried again by itself.",
  ],
  "backing-changed": [
    "Somebody else changed the file behind the inode, and there are bytes that are not " +
    "written back.",
    "Decide which is right: `POST …/invalidate?discard=true` drops the cached bytes, " +
    "`reopen` takes the new file.",
  ],
  "cache-full": [
    "All of the cache is dirty or mapped, so there is no room for more.",
    "Sync inodes or remove mappings, then try again.",
  ],
  "remote-redirects": [
    "The server sent the request on to another address. Innkeeper does not follow, so that a " +
    "server cannot choose what is read.",
    "Open the address that `detail` names, if it is to be trusted.",
  ],
  "remote-without-ranges": [
    "The server does not send parts of the file, and Innkeeper reads only parts.",
    "Use a server that answers `Range` with 206.",
  ],
  "remote-coded": [
    "The server sent the content compressed, so that its bytes have other places.",
    "Let the server send it as it is, with `Accept-Encoding: identity`.",
  ],
  "remote-refuses": [
    "The server refused the request.",
    "Read the status in `detail`, and correct the address or the right to read there.",
  ],
  "remote-untrusted": [
    "The server's certificate is not trusted, or it is not the host that was named.",
    "Let it have a certificate that this host trusts.",
  ],
  "remote-unreachable": [
    "No connection to the server came about.",
    "Look at the address, the name and the network, and try again.",
  ],
  "remote-timed-out": [
    "The server did not answer in time.",
    "Try again when it is less busy.",
  ],
  "remote-failed": [
    "The server failed while it answered.",
    "Try again; if it stays so, ask whoever runs the server.",
  ],
  "leftover-not-found": [
    "No unsaved bytes of an earlier process have this id: they were written or discarded.",
    "Look at the list of what was left.",
  ],
  "file-in-use": [
    "The file is open as an inode at this moment.",
    "End the holds of that inode first, then try again.",
  ],
} as const;
