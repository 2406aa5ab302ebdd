"""Coded errors: E1xx input, E2xx model, E3xx run. Each says what was expected, what was found and what to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """The two languages of an error; the braces name the facts it is raised with."""

    chinese: str
    english: str


MESSAGES: dict[str, Message] = {
    "E101": Message(
        "找不到输入文件：{path}。应为一个存在的文件；请检查路径与文件名",
        "input file not found: {path}; expected an existing file; check the path and the name",
    ),
    "E102": Message(
        "不支持的文件类型：{found}（{path}）。应为 {expected}；请另存为其中一种",
        "unsupported file type {found} ({path}); expected {expected}; save it as one of these",
    ),
    "E103": Message(
        "无法打开工作簿：{path}（{found}）。应为完整、未加密的 XLSX 或 XLS；加密的请先取消密码另存，损坏的请重新导出",
        "cannot open the workbook {path} ({found}); expected an intact XLSX or XLS without a password; remove the"
        " password or export it again",
    ),
    "E104": Message(
        "表中没有数据：{path}。应至少有一行表头和一行数据；请检查工作表{found}",
        "no data in {path}; expected a heading row and at least one data row; check sheet {found}",
    ),
    "E105": Message(
        "找不到正文列：{path} 的列为 {found}。应有“课程名称”“课程简介”“培训内容”“正文”“text”等列；请用 --text-column 指明",
        "no text column in {path}: found {found}; expected one such as 课程名称, 课程简介, 培训内容, 正文 or text; name it"
        " with --text-column",
    ),
    "E106": Message(
        "无法识别文件编码：{path}（{found}）。应为 UTF-8（可带 BOM）或 GB18030，全文一致；请用文本编辑器另存为 UTF-8",
        "cannot decode {path} ({found}); expected UTF-8 (a BOM may stand) or GB18030 throughout; save it as UTF-8",
    ),
    "E107": Message(
        "找不到指定的列：{column}。现有的列为 {found}；请改用其中之一",
        "no such column: {column}; found {found}; name one of these",
    ),
    "E108": Message(
        "无法读取表格：{path}（{found}）。应为规范的 {expected} 文件；请重新导出",
        "cannot read the table {path} ({found}); expected a well-formed {expected} file; export it again",
    ),
    "E109": Message(
        "列名重复：{found}（{path}）。每列应有不同的名称；请改名后再试",
        "repeated headings {found} in {path}; expected every column to have its own name; rename them",
    ),
    "E110": Message(
        "第 {row} 行不是 JSON 对象（{found}）。每行应为一个 JSON 对象；请修正或删除该行",
        "line {row} is not a JSON object ({found}); expected one object a line; mend or remove the line",
    ),
    "E111": Message(
        "没有文本。应有非空的 text 或 title；实际字段为 {found}；请补充内容",
        "no text; expected a non-empty text or title; found the fields {found}; fill one in",
    ),
    "E112": Message(
        "字段 {field} 的类型不对：应为字符串，实际为 {found}；请改成字符串",
        "field {field} has the wrong type: expected a string, found {found}; make it a string",
    ),
    "E113": Message(
        "申报类别无效：{found}。应为 subject（学科类）或 non_subject（非学科类），不明则留空；请改正",
        "invalid declared category {found}; expected subject or non_subject, or nothing when unknown; correct it",
    ),
    "E114": Message(
        "没有输入。应给出文件，或在标准输入给出 JSONL；请见 jianke classify --help",
        "no input; expected files, or JSONL on standard input; see jianke classify --help",
    ),
    "E116": Message(
        "编号重复：{found}，首见于第 {first} 行。各行的编号应互不相同；结果仍按行给出，请核对来源数据",
        "repeated id {found}, first seen in row {first}; expected every row to have its own; results are given row by"
        " row all the same; check the source",
    ),
    "E117": Message(
        "{row} 的标注不合标准：{found}。应有 id、text、category，标签应在 taxonomy.toml 中；请对照 labels 修正",
        "{row} does not follow the label standard: {found}; expected id, text, category and labels of taxonomy.toml",
    ),
    "E118": Message(
        "语料未达到要求：{found}。请见上面逐条列出的缺口",
        "the corpus falls short: {found}; the gaps are listed above",
    ),
    "E120": Message(
        "规则文件夹不可用：{path}（{found}）。应为含有 {expected} 中至少一种的文件夹；请检查 --rules",
        "unusable rules folder {path} ({found}); expected a folder with any of {expected}; check --rules",
    ),
    "E121": Message(
        "规则文件夹 {path} 有 {number} 处问题，全部改正后才能使用（可用 jianke rules check 检查）：\n{problems}",
        "the rules folder {path} has {number} problems, listed above; mend them all before it is used (see jianke rules check)",
    ),
    "E122": Message(
        "{file}：不认识的文件。应为 {expected}；请改名，说明文字可写在 .md 或 .txt 中",
        "{file}: unknown file; expected {expected}; rename it; notes may stand in .md or .txt",
    ),
    "E123": Message(
        "{file} 第 {row} 行：不是 UTF-8（{found}）。应为 UTF-8（可带 BOM）；请用文本编辑器另存为 UTF-8",
        "{file}:{row}: not UTF-8 ({found}); expected UTF-8 (a BOM may stand); save it as UTF-8",
    ),
    "E124": Message(
        "{file} 第 {row} 行：应为 {expected} 列（{columns}），以制表符分隔，空的列也要保留制表符；实际为 {found} 列；请补齐",
        "{file}:{row}: expected {expected} columns ({columns}) with tabs between, empty ones included; found {found}; complete the line",
    ),
    "E125": Message(
        "{file} 第 {row} 行：未知的标签“{found}”。应为 {expected} 之一；请改正",
        "{file}:{row}: unknown finding {found}; expected one of {expected}; correct it",
    ),
    "E126": Message(
        "{file} 第 {row} 行：未知的线索“{found}”。应为 {expected} 之一；请改正",
        "{file}:{row}: unknown signal {found}; expected one of {expected}; correct it",
    ),
    "E127": Message(
        "{file} 第 {row} 行：未知的条款“{found}”。应为 policy.toml 或本文件夹 clauses.toml 中的编号；请改正，或在 clauses.toml"
        " 中写明该条款",
        "{file}:{row}: unknown clause {found}; expected an id of policy.toml or of this folder's clauses.toml; correct it or"
        " write the clause there",
    ),
    "E128": Message(
        "{file} 第 {row} 行：权重“{found}”不是大于 0 的数。应为 1（明说）或 0.5（暗示）这样的数；请改正",
        "{file}:{row}: the weight {found} is not a number above 0; expected one such as 1 (plain) or 0.5 (a hint); correct it",
    ),
    "E129": Message(
        "{file} 第 {row} 行：重复：{found}，已见于{first}。应只写一次；请删去其一",
        "{file}:{row}: {found} stands twice, first in {first}; expected it once; remove one",
    ),
    "E130": Message(
        "{file} 第 {row} 行：词为空（{found}，折叠后没有剩下文字）。应为一个词；请填写或删去该行",
        "{file}:{row}: empty word ({found}, nothing is left after folding); expected a word; fill it in or remove the line",
    ),
    "E131": Message(
        "{file} 第 {row} 行：不是规范的 TOML（{found}）。请检查引号、括号与逗号",
        "{file}:{row}: not well-formed TOML ({found}); check quotes, brackets and commas",
    ),
    "E132": Message(
        "{file} 第 {row} 行：“{key}”不合要求：应为 {expected}；实际为 {found}；请改正",
        "{file}:{row}: {key} is not as required: expected {expected}; found {found}; correct it",
    ),
    "E133": Message(
        "{file} 第 {row} 行：正则表达式有误：{found}。应为 Python 正则表达式；请改正",
        "{file}:{row}: bad regular expression {found}; expected one in Python's form; correct it",
    ),
    "E134": Message(
        "{file} 第 {row} 行：重复次数没有上限或过大：{found}。* + {{n,}} 不可用，上限应不大于 {expected}；请写成 {{0,10}} 这样的范围",
        "{file}:{row}: unbounded or too long a repetition: {found}; * + {{n,}} are refused, the limit is {expected}; write a range"
        " such as {{0,10}}",
    ),
    "E135": Message(
        "{file} 第 {row} 行：例子“{example}”（{key}）应{expected}，实际{found}。规则在小写、半角、简体的文字上匹配，且须出现 triggers"
        " 中的词；请改规则或例子",
        "{file}:{row}: the example {example} of {key} does not behave as stated ({expected} / {found}); rules run on lower-case,"
        " half-width, simplified text where one of the triggers occurs; mend the rule or the example",
    ),
    "E201": Message(
        "找不到模型：{path}。应为含 manifest.json 的文件夹；请检查 --model 或环境变量 JIANKE_MODEL，或运行 make train",
        "model not found: {path}; expected a folder with manifest.json; check --model or JIANKE_MODEL, or run make train",
    ),
    "E202": Message(
        "模型文件与清单不符：{path}（应为 {expected}，实际为 {found}）。请重新安装或重新训练",
        "model file does not match its manifest: {path} (expected {expected}, found {found}); install or train it again",
    ),
    "E203": Message(
        "模型与本版本的标签不一致：{found}。应为 {expected}；请用本版本重新训练",
        "model and labels do not agree: found {found}, expected {expected}; train the model with this version",
    ),
    "E204": Message(
        "未知的引擎：{found}。应为 {expected}",
        "unknown engine {found}; expected {expected}",
    ),
    "E205": Message(
        "模型中没有编码器：{path}。引擎 encoder 需要含编码器的模型；请改用 --engine fast 或 auto",
        "no encoder in the model {path}; the encoder engine needs one; use --engine fast or auto",
    ),
    "E301": Message(
        "无法写出结果：{path}（{found}）。应为可写的文件夹与足够的磁盘空间；请更换位置后重试，原有文件未被改动",
        "cannot write {path} ({found}); expected a writable folder with free space; choose another place; nothing that"
        " was there has been changed",
    ),
    "E302": Message(
        "输出会覆盖输入：{path}。应与输入不同；请用 -o 换一个名称",
        "the output would overwrite the input {path}; expected another file; choose another name with -o",
    ),
    "E304": Message(
        "缺少组件：{found}。应先安装 {expected}；请运行 pip install '{expected}'",
        "{found} is not installed; expected {expected}; run pip install '{expected}'",
    ),
    "E303": Message(
        "行数超过 XLSX 的上限：{found} 行。每表至多 {expected} 行；请改用 .csv、.jsonl 或 .parquet 输出",
        "too many rows for XLSX: {found}; at most {expected} fit on a sheet; write .csv, .jsonl or .parquet instead",
    ),
}


class JiankeError(Exception):
    """A coded error; `code`, `chinese` and `english` may be shown to users as they are."""

    messages = MESSAGES

    def __init__(self, code: str, **facts: object) -> None:
        """Fill the message of `code` with `facts`; every placeholder of the message must be given."""
        message = self.messages[code]
        self.code = code
        self.chinese = message.chinese.format(**facts)
        self.english = message.english.format(**facts)
        super().__init__(f"[{code}] {self.chinese} / {self.english}")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way between processes, with code and messages kept."""
        return (_rebuild, (type(self), self.code, self.chinese, self.english))


class InputError(JiankeError):
    """The input cannot be used as it is."""


class ModelError(JiankeError):
    """The model cannot be found, read or trusted."""


class RunError(JiankeError):
    """The run cannot be finished."""


def _rebuild(kind: type[JiankeError], code: str, chinese: str, english: str) -> JiankeError:
    error = kind.__new__(kind)
    error.code, error.chinese, error.english = code, chinese, english
    error.args = (f"[{code}] {chinese} / {english}",)
    return error
