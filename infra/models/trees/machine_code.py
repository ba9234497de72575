"""LLVM IR -> machine code for this processor, in memory and ready to be called. Needs llvmlite (extra `fast`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPTIMIZATION = 1  # 2 takes longer and gives the same speed


def host() -> tuple[str, str, str]:
    """(triple, processor, its features) of this machine. Raises ImportError without llvmlite."""
    from llvmlite import binding

    try:
        features = binding.get_host_cpu_features().flatten()
    except RuntimeError:  # LLVM cannot tell on some processors
        features = ""
    return binding.get_process_triple(), binding.get_host_cpu_name(), features


def compiled(ir: str) -> bytes:
    """An object file for this machine. Raises ImportError without llvmlite."""
    from llvmlite import binding

    code: bytes = _target_machine().emit_object(binding.parse_assembly(ir))
    return code


def filled(ir: str, values: Mapping[str, object]) -> str:
    """``ir`` with the values of its ``{NAMES}``; other braces stay as they are."""
    for name, value in values.items():
        ir = ir.replace(f"{{{name}}}", str(value))
    return ir


class MachineCode:
    """The functions of an object file, for as long as it lives."""

    def __init__(self, code: bytes) -> None:
        """``code``: from :func:`compiled`, on this machine; it is executed."""
        from llvmlite import binding

        self._engine: Any = binding.create_mcjit_compiler(binding.parse_assembly(""), _target_machine())
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Raises RuntimeError for a function that there is none of."""
        found: int = self._engine.get_function_address(name)
        if not found:
            raise RuntimeError(f"the compiled code has no {name!r}")
        return found


def _target_machine() -> Any:  # llvmlite has no type stubs
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    triple, processor, features = host()
    return binding.Target.from_triple(triple).create_target_machine(
        cpu=processor, features=features, opt=OPTIMIZATION, reloc="pic", codemodel="small"
    )
