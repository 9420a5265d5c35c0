"""The kernel's files of boards, by hand after their manuals and published listings, below a folder."""

from pathlib import Path

GIB = 2**20  # KiB


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def memory(total: int, available: int) -> dict[str, str]:
    """In KiB."""
    return {"proc/meminfo": f"MemTotal: {total:>14} kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n"}


JETSON = {
    **memory(7 * GIB + 500_000, 5 * GIB),
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48531\n",
    "sys/class/hwmon/hwmon1/name": "ina3221\n",
    "sys/class/hwmon/hwmon1/in1_label": "VDD_IN\n",
    "sys/class/hwmon/hwmon1/in1_input": "5072\n",
    "sys/class/hwmon/hwmon1/curr1_input": "936\n",
    "sys/class/hwmon/hwmon1/in2_label": "VDD_CPU_GPU_CV\n",
    "sys/class/hwmon/hwmon1/in2_input": "5064\n",
    "sys/class/hwmon/hwmon1/curr2_input": "104\n",
}
PI = {
    **memory(4 * GIB, 3 * GIB),
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 108.00\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "61250\n",
    "sys/class/hwmon/hwmon2/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon2/in0_lcrit_alarm": "1\n",
}
N100 = {
    **memory(16 * GIB, 12 * GIB),
    "sys/class/dmi/id/product_name": "Mini PC\n",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) N100\n",
    "sys/class/powercap/intel-rapl/enabled": "1\n",
    "sys/class/powercap/intel-rapl:0/name": "package-0\n",
    "sys/class/powercap/intel-rapl:0/energy_uj": "9000000\n",
    "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "10000000\n",
    "sys/class/hwmon/hwmon3/name": "coretemp\n",
    "sys/class/hwmon/hwmon3/temp1_label": "Package id 0\n",
    "sys/class/hwmon/hwmon3/temp1_input": "52000\n",
    "sys/class/hwmon/hwmon3/temp2_label": "Core 0\n",
    "sys/class/hwmon/hwmon3/temp2_input": "50000\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "7\n",
}
WORKSTATION = {
    **memory(64 * GIB, 60 * GIB),
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD Ryzen 9 7950X 16-Core Processor\n",
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.1\n",
    "sys/class/hwmon/hwmon0/name": "k10temp\n",
    "sys/class/hwmon/hwmon0/temp1_label": "Tctl\n",
    "sys/class/hwmon/hwmon0/temp1_input": "45125\n",
}
BOARDS = {
    "jetson-orin-nano": ("aarch64", JETSON),
    "raspberry-pi-5": ("aarch64", PI),
    "intel-n100": ("x86_64", N100),
    "nvidia-workstation": ("x86_64", WORKSTATION),
    "generic-x86-64": ("x86_64", memory(8 * GIB, 6 * GIB)),
    "generic-arm64": ("aarch64", memory(8 * GIB, 6 * GIB)),
}
