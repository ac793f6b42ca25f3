"""The files of the repository, as the checks see them."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def files(*suffixes, root=ROOT):
    """Sorted repository-relative paths: tracked files and new ones that git does
    not ignore, so that a check means the same before and after a commit."""
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], check=True, capture_output=True).stdout
    paths = {name.decode() for name in listing.split(b"\0") if name}
    return sorted(p for p in paths
                  if (not suffixes or p.endswith(suffixes))
                  and (root / p).is_file())
