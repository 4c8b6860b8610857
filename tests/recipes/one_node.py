"""A SLURM of one node, this machine, which believes to have more than it has."""

from __future__ import annotations

import getpass
import secrets
import subprocess
from pathlib import Path

from tests.recipes.programs import Programs, free_port, until

SLURM_PROGRAMS = ("munged", "sbatch", "slurmctld", "slurmd", "srun")

NODE_CPUS = 64
NODE_MEMORY_MB = 128_000
"""What the node says that it has: more than this machine, so that recipes fit as they are."""


def write_slurm(folder: Path) -> None:
    """Configuration of a cluster that knows one node: this machine."""
    user = getpass.getuser()
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(64))
    key.chmod(0o600)
    (folder / "gres.conf").write_text(
        "NodeName=localhost Name=gpu File=/dev/null\nNodeName=localhost Name=gpu File=/dev/zero\n"
    )
    (folder / "slurm.conf").write_text(
        f"""
ClusterName=recipes
SlurmctldHost=localhost
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=100000
MpiDefault=none
KillWait=5
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=localhost CPUs={NODE_CPUS} Sockets=1 CoresPerSocket={NODE_CPUS} ThreadsPerCore=1 \
RealMemory={NODE_MEMORY_MB} Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""
    )


def start_slurm(programs: Programs, folder: Path) -> None:
    files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid"}
    files |= {"log-file": "munged.log", "seed-file": "munged.seed"}
    options = [f"--{name}={folder / file}" for name, file in files.items()]
    # by force: its files lie in a folder for temporary ones
    programs.start("munged", "--foreground", "--force", *options)
    until((folder / "munge.socket").exists, "munged")
    programs.start("slurmctld", "-D")
    programs.start("slurmd", "-D")

    def idle() -> bool:
        asked = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            env=programs.env,
            capture_output=True,
            text=True,
            check=False,
        )
        return set(asked.stdout.split()) == {"idle"}

    try:
        until(idle, "SLURM", 30)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{programs.said()}") from None
