"""The example protocol of docs/gateways/README.md, taken from the page: what is printed there is what is tried."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parent.parent / "docs" / "gateways" / "README.md"


def module_of(name: str) -> ModuleType:
    """The page's block of Python that begins with the comment `# agents/gateways/<name>.py`, as a module."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"```python\n(# agents/gateways/{name}\.py\n.*?)```", text, re.DOTALL)
    assert found is not None, f"{PAGE.name} has no {name}.py"
    module = ModuleType(f"example_{name}")
    sys.modules[module.__name__] = module
    exec(compile(found[1], f"{PAGE.name}:{name}.py", "exec"), module.__dict__)
    return module


OPEN = module_of("plain").PlainGateway.open
WIRE = module_of("simulator_plain").PlainWire()
