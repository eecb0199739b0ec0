"""Ledgers as ministries keep them, written by the tests."""

from pathlib import Path

import openpyxl

JAPANESE = """\
サーバ台帳,,,,,,,,,,
平成20年4月1日現在,,,,,,,,,,
No.,ホスト名,システム名,物理／仮想,ＣＰＵ数,メモリ,ディスク容量,ＯＳ,ＩＰアドレス,リース満了日,備考２
1,web01,台帳,物理,４コア,１６ＧＢ,2×300GB RAID1,Windows Server 2012 R2 Standard,10.0.20.31,平成35年3月31日,
2,web02,同上,同上,同上,同上,〃,RHEL 6.9,１０．０．２０．３２,R8.3.31,予備
3,web03,台帳,仮想,たくさん,8GB,不明,ﾅｿﾞOS,10.0.20.300,,=1+1
,,,,,,,,,,
合計,,,,,,,,,,
"""
CHINESE = """\
主机名;系统名称;物理/虚拟;处理器数;内存(GB);磁盘容量(GB);操作系统;IP地址
db01;台帳;虚拟;8;32;500;CentOS 7.9;10.0.20.41
"""
ENGLISH = """\
Hostname\tApplication\tServer type\tvCPUs\tRAM (MB)\tDisk size [GB]\tOperating system\tOS version\tIP address\tMAC address
app01.mof.example\tLedger\tvirtual\t4\t8,192\t120\tDebian GNU/Linux\t10\t10.0.20.51\t52-54-00-00-00-51
"""


def write_workbook(file: Path) -> None:
    """A title above two rows of headings, merged cells, a unit that only the format shows, a formula, several sheets."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "サーバ一覧"
    sheet["A1"] = "情報システム機器一覧（財務省）"
    sheet.merge_cells("A1:H1")
    for column, text in enumerate(("システム名", "ホスト名", "CPU", None, "メモリ", "ディスク", "導入日", "備考"), start=1):
        sheet.cell(3, column, text)
    sheet["C4"], sheet["D4"] = "型番", "コア数"
    sheet.merge_cells("C3:D3")
    for letter in "ABEFGH":
        sheet.merge_cells(f"{letter}3:{letter}4")
    rows = (
        ("台帳", "fs01", "Xeon E5-2620", 12, 64, "600GB×4 RAID5", "2014-04-01", None),
        (None, "fs02", "Xeon E5-2620", 12, "=E5*2", "600GB×4 RAID5", None, "共有"),
        (None, "fs03", "Xeon E5-2620", "#N/A", 64, "わからない", None, None),
    )
    for number, row in enumerate(rows, start=5):
        for column, value in enumerate(row, start=1):
            sheet.cell(number, column, value)
        sheet.cell(number, 5).number_format = '0"GB"'
    sheet.merge_cells("A5:A7")
    other = book.create_sheet("改訂履歴")
    other.append(["版", "日付"])
    other.append(["1.0", "2014/4/1"])
    hidden = book.create_sheet("hidden")
    hidden.append(["hostname", "system"])
    hidden.append(["ghost", "台帳"])
    hidden.sheet_state = "hidden"
    book.save(file)
