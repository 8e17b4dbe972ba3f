"""nbval starts kernels while lessons beside it take ports by the thousand."""

import subprocess

import psutil
from nbval import kernel


def test_it_listens_on_no_port_that_was_drawn_before():
    manager = kernel.KernelManager(
        kernel_name=kernel.CURRENT_ENV_KERNEL_NAME,
        kernel_spec_manager=kernel.NbvalKernelspecManager(),
    )
    manager.start_kernel(stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        opened = psutil.Process(manager.provisioner.pid).net_connections("inet")
        assert not {one.laddr.port for one in opened} & set(manager.ports)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
