"""RVTools exports with its public column names: release 4 (MiB) and release 3 (MB), custom attributes in the middle."""

from pathlib import Path

import openpyxl

_TAIL = (
    "Annotation,{custom}Datacenter,Cluster,Host,Folder,OS according to the configuration file,OS according to the VMware Tools"
)
_IDS = "VM ID,VM UUID,VI SDK Server,VI SDK UUID"
COLUMNS = {
    "vInfo": "VM,Powerstate,Template,SRM Placeholder,Config status,DNS Name,Connection state,Guest state,Heartbeat,"
    "Consolidation Needed,PowerOn,Creation date,CPUs,Memory,NICs,Disks,Total disk capacity {unit},Primary IP Address,Network #1,"
    f"Network #2,Provisioned {{unit}},In Use {{unit}},EFI Secure boot,Firmware,HW version,Path,{_TAIL},Customization Info,"
    "VM ID,SMBIOS UUID,VM UUID,VI SDK Server type,VI SDK API Version,VI SDK Server,VI SDK UUID",
    "vDisk": "VM,Powerstate,Template,SRM Placeholder,Disk,Disk Key,Disk UUID,Disk Path,Capacity {unit},Raw,Disk Mode,Sharing mode,"
    f"Thin,Controller,Label,Shared Bus,Path,Raw LUN ID,Raw Comp. Mode,Internal Sort Column,{_TAIL},{_IDS}",
    "vNetwork": "VM,Powerstate,Template,SRM Placeholder,NIC label,Adapter,Network,Switch,Connected,Starts Connected,Mac Address,Type,"
    f"IPv4 Address,IPv6 Address,Direct Path IO,Internal Sort Column,{_TAIL},{_IDS}",
    "vPartition": "VM,Powerstate,Template,SRM Placeholder,Disk Key,Disk,Capacity {unit},Consumed {unit},Free {unit},Free %,"
    f"Internal Sort Column,{_TAIL},{_IDS}",
    "vSnapshot": "VM,Powerstate,Name,Description,Date / time,Filename,Size {unit} (vmsn),Size {unit} (total),Quiesced,State,"
    f"{_TAIL},{_IDS}",
    "vCD": "Select,VM,Powerstate,Template,SRM Placeholder,Device Node,Connected,Starts Connected,Device Type,"
    f"{_TAIL},VMRef,{_IDS}",
    "vUSB": "Select,VM,Powerstate,Template,SRM Placeholder,Device Node,Device Type,Connected,Family,Speed,EHCI enabled,"
    f"Auto connect,Bus number,Unit number,{_TAIL},VMRef,{_IDS}",
    "vHost": "Host,Datacenter,Cluster,Config status,in Maintenance Mode,CPU Model,Speed,HT Available,HT Active,# CPU,"
    "Cores per CPU,# Cores,CPU usage %,# Memory,Memory usage %,Console,# NICs,# HBAs,# VMs,ESX Version,Vendor,Model,Serial number",
}

_WEB, _DB, _OLD, _TPL = "4203-web", "4203-db", "4203-old", "4203-tpl"
_AT = {"Datacenter": "霞が関", "Cluster": "CL-01", "Host": "esx01.mof.example"}
ROWS = {
    "vInfo": (
        _AT | {
            "VM": "WEB-01", "Powerstate": "poweredOn", "Template": "False", "DNS Name": "web-01.mof.example", "CPUs": 4, "Memory": 8192,
            "Disks": 1, "Total disk capacity {unit}": 102400, "Primary IP Address": "10.0.20.71", "Firmware": "efi", "HW version": 13,
            "OS according to the configuration file": "Microsoft Windows Server 2016 or later (64-bit)",
            "OS according to the VMware Tools": "Microsoft Windows Server 2019 (64-bit)", "VM UUID": _WEB, "VM ID": "vm-101",
            "部署": "会計課", "Annotation": "窓口",
        },
        _AT | {
            "VM": "人事DB", "Powerstate": "poweredOff", "Template": False, "DNS Name": "hr-db", "CPUs": 8, "Memory": 65536, "Disks": 2,
            "Total disk capacity {unit}": 614400, "Firmware": "bios", "VM UUID": _DB, "VM ID": "vm-102",
            "OS according to the configuration file": "Red Hat Enterprise Linux 7 (64-bit)",
        },
        _AT | {
            "VM": "old", "Powerstate": "suspended", "Template": "False", "CPUs": 1, "Memory": "lots", "Disks": 1, "VM UUID": _OLD,
            "OS according to the configuration file": "CentOS 4/5/6 (64-bit)",
        },
        _AT | {"VM": "golden", "Powerstate": "poweredOff", "Template": "True", "CPUs": 1, "Memory": 1024, "VM UUID": _TPL},
    ),
    "vDisk": (
        {"VM": "WEB-01", "Template": "False", "Disk": "Hard disk 1", "Capacity {unit}": 102400, "Raw": "False", "Disk Mode": "persistent",
         "Sharing mode": "sharingNone", "Controller": "SCSI controller 0", "Shared Bus": "noSharing", "VM UUID": _WEB},
        {"VM": "人事DB", "Disk": "Hard disk 1", "Capacity {unit}": 102400, "Raw": "False", "Disk Mode": "independent_persistent",
         "Shared Bus": "noSharing", "VM UUID": _DB},
        {"VM": "人事DB", "Disk": "Hard disk 2", "Capacity {unit}": 512000, "Raw": "True", "Disk Mode": "independent_persistent",
         "Sharing mode": "sharingMultiWriter", "Shared Bus": "physicalSharing", "Raw LUN ID": "vml.02", "Raw Comp. Mode": "physicalMode",
         "VM UUID": _DB},
        {"VM": "old", "Disk": "Hard disk 1", "Capacity {unit}": 20481, "Raw": "False", "VM UUID": _OLD},
        {"VM": "golden", "Template": "True", "Disk": "Hard disk 1", "Capacity {unit}": 20480, "VM UUID": _TPL},
        {"VM": "gone", "Template": "False", "Disk": "Hard disk 1", "Capacity {unit}": 1024, "VM UUID": "4203-gone"},
    ),
    "vNetwork": (
        {"VM": "WEB-01", "NIC label": "Network adapter 1", "Network": "VLAN20", "Connected": "True", "Mac Address": "00:50:56:aa:00:01",
         "IPv4 Address": "10.0.20.71, 10.0.20.72", "IPv6 Address": "fe80::250:56ff:feaa:1", "VM UUID": _WEB},
        {"VM": "人事DB", "NIC label": "Network adapter 1", "Network": "VLAN30", "Connected": "False", "Mac Address": "00:50:56:aa:00:02",
         "VM UUID": _DB},
    ),
    "vPartition": (
        {"VM": "WEB-01", "Disk": "C:\\", "Capacity {unit}": 101853, "Consumed {unit}": 40960, "Free {unit}": 60893, "Free %": 59,
         "VM UUID": _WEB},
    ),
    "vSnapshot": (
        {"VM": "WEB-01", "Name": "更新前", "Date / time": "2026/03/01 08:15:00", "Size {unit} (vmsn)": 2, "Size {unit} (total)": 2048,
         "Quiesced": "True", "VM UUID": _WEB},
    ),
    "vCD": (
        {"VM": "WEB-01", "Device Node": "CD/DVD drive 1", "Connected": "False", "Device Type": "Client Device", "VM UUID": _WEB},
        {"VM": "人事DB", "Device Node": "CD/DVD drive 1", "Connected": "True", "Device Type": "ISO [ds1] rhel7.iso", "VM UUID": _DB},
    ),
    "vUSB": (
        {"VM": "人事DB", "Device Node": "USB 1", "Device Type": "SafeNet Sentinel HASP", "Connected": "True", "Family": "security",
         "VM UUID": _DB},
    ),
    "vHost": (
        {"Host": "esx01.mof.example", "Datacenter": "霞が関", "Cluster": "CL-01", "CPU Model": "Intel(R) Xeon(R) CPU E5-2620 v4 @ 2.10GHz",
         "Speed": 2100, "# CPU": 2, "Cores per CPU": 8, "ESX Version": "VMware ESXi 6.7.0 build-17167734"},
    ),
}  # fmt: skip


def write_export(
    file: Path, *, unit: str = "MiB", custom: tuple[str, ...] = ("部署", "Last backup"), without: tuple[str, ...] = ()
) -> None:
    """An export as the given release writes it; `custom` attributes stand in the middle of every sheet of guests."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    inner = "".join(f"{name}," for name in custom)
    for name, columns in COLUMNS.items():
        if name in without:
            continue
        sheet = book.create_sheet(name)
        headings = [one.format(unit=unit) for one in columns.replace("{custom}", inner).split(",")]
        sheet.append(headings)
        for row in ROWS[name]:
            named = {key.format(unit=unit): value for key, value in row.items()}
            sheet.append([named.get(heading) for heading in headings])
    book.create_sheet("vHealth").append(["Name", "Message"])
    book.save(file)
