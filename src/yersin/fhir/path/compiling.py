"""From the tree of an expression to functions that run. Nothing is read anew when it runs.

Source: https://hl7.org/fhirpath/N1/#expressions
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from . import boundaries, conversion, existence, fhir_functions, filtering, mathematics, strings, subsetting, utility
from .calling import Code, Function, text
from .grammar import At, Binary, Call, Constant, Dot, Literal, Name, Nothing, Sign, Special, Tree, Typed, type_argument
from .items import Items, Node, is_exactly, is_of
from .model import TypeName
from .operators import OPERATORS, index, negative, one, truth
from .refusal import impossible
from .scene import Scene, is_built_in
from .tree import children_named, step, step_of_type

FUNCTIONS: Mapping[str, Function] = {
    **existence.FUNCTIONS, **filtering.FUNCTIONS, **subsetting.FUNCTIONS, **conversion.FUNCTIONS, **strings.FUNCTIONS,
    **mathematics.FUNCTIONS, **boundaries.FUNCTIONS, **utility.FUNCTIONS, **fhir_functions.FUNCTIONS,
}  # fmt: skip
#: functions whose argument names a type: `typed` of the compiler
_TYPED = frozenset({"is", "as", "ofType"})
#: what has no order, and what asks for one
_UNORDERED = frozenset({"children", "descendants"})
_ORDERED = frozenset({"first", "last", "tail", "skip", "take"})


class Compiler:
    """Compiles one expression. `known` are the variables there are, None when any may be; `more` adds functions."""

    def __init__(self, *, known: Collection[str] | None, more: Mapping[str, Function], ordered: bool) -> None:
        self.known = known
        self.functions = {**FUNCTIONS, **more}
        self.ordered = ordered
        self.defined: set[str] = set()

    def code(self, tree: Tree) -> Code:
        """Compile a tree. Raises CannotEvaluate for a function or variable that is not there."""
        match tree:
            case Literal(value=value):
                return lambda _this, _scene: [value]
            case Nothing():
                return lambda _this, _scene: []
            case Name() | Call() | Dot() | At() | Special():
                return self.chain(tree)
            case Constant(name=name):
                return self.constant(name)
            case Sign(sign=sign, operand=operand):
                inner = self.code(operand)
                return lambda this, scene: negative(inner(this, scene), sign)
            case Typed(sign=sign, left=left, type=wanted):
                return _typed(sign, self.code(left), wanted)
            case Binary(sign=sign, left=left, right=right):
                return self.binary(sign, left, right)
        raise AssertionError(tree)

    def chain(self, tree: Tree) -> Code:
        """Compile steps one after the other; those that define variables get a scope of their own."""
        code = self.steps(tree)
        return _scoped(code) if _defines(tree) else code

    def steps(self, tree: Tree) -> Code:
        match tree:
            case Dot(left=left, right=Call(name="ofType", arguments=(kind,)) as right):
                return self.of_type(left, kind) or self.step(self.steps(left), right)
            case Dot(left=left, right=right):
                self.check_order(left, right)
                return self.step(self.steps(left), right)
            case At(left=left, index=number):
                self.check_order(left, None)
                before, at = self.steps(left), self.code(number)
                return lambda this, scene: index(before(this, scene), at(this, scene))
            case Name() | Call():
                return self.step(None, tree)
            case Special(name=name):
                return _SPECIAL[name]
        return self.code(tree)

    def of_type(self, left: Tree, kind: Tree) -> Code | None:
        """Compile an element and the type wanted of it in one step; None where nothing is won."""
        wanted = type_argument(kind)
        if wanted is None or not wanted.exists:
            return None
        match left:
            case Dot(left=before, right=Name(name=name)):
                return step_of_type(self.steps(before), name, wanted)
            case Name(name=name) if name[:1].islower():
                return step_of_type(None, name, wanted)
        return None

    def check_order(self, left: Tree, right: Tree | None) -> None:
        """Refuse to count items that have no order, where that is asked for."""
        if not self.ordered:
            return
        asks = right is None or (isinstance(right, Call) and right.name in _ORDERED)
        last = left.right if isinstance(left, Dot) else left
        if asks and isinstance(last, Call) and last.name in _UNORDERED:
            raise impossible(f"{last.name}() has no order, so nothing in it is first or last")

    def step(self, before: Code | None, right: Name | Call | Special) -> Code:
        match right:
            case Name(name=name, first=first):
                return _named(before, name, first=first)
            case Special(name=name):
                return _SPECIAL[name]
            case Call(name=name, arguments=arguments):
                return self.call(before or _this, name, arguments)

    def call(self, before: Code, name: str, arguments: tuple[Tree, ...]) -> Code:
        if name in _TYPED:
            return self.typed_call(before, name, arguments)
        if name == "defineVariable":
            return self.defining(before, arguments)
        if name == "sort":
            return self.sorting(before, arguments)
        function = self.functions.get(name)
        if function is None:
            raise impossible(f"There is no function {name}()", code="not-supported")
        if not function.least <= len(arguments) <= function.most:
            raise impossible(f"{name}() cannot take {len(arguments)} arguments")
        if function.lazy:
            return _lazy(before, function, [self.code(each) for each in arguments])
        if function.typed:
            return _eager(before, function, [_type_text(each) for each in arguments])
        return _eager(before, function, [self.code(each) for each in arguments])

    def typed_call(self, before: Code, name: str, arguments: tuple[Tree, ...]) -> Code:
        wanted = type_argument(arguments[0]) if len(arguments) == 1 else None
        if wanted is None:
            raise impossible(f"{name}() takes the name of a type")
        if not wanted.exists:
            raise impossible(f"There is no type {wanted.name}")
        if name == "ofType":
            return lambda this, scene: [each for each in before(this, scene) if is_exactly(each, wanted)]
        return _typed(name, before, wanted)

    def defining(self, before: Code, arguments: tuple[Tree, ...]) -> Code:
        if not arguments or len(arguments) > 2:
            raise impossible("defineVariable() takes a name and, if it is not the input itself, a value")
        if isinstance(arguments[0], Literal):
            self.defined.add(arguments[0].value)
        name, value = self.code(arguments[0]), self.code(arguments[1]) if len(arguments) == 2 else None

        def run(this: Items, scene: Scene) -> Items:
            items = before(this, scene)
            chosen = text(name(this, scene), "defineVariable()") or ""
            if is_built_in(chosen) or chosen in scene.variables or chosen in scene.environment.variables:
                raise impossible(f"There is already a variable %{chosen}")
            scene.variables = {**scene.variables, chosen: items if value is None else value(items, scene)}
            return items

        return run

    def sorting(self, before: Code, arguments: tuple[Tree, ...]) -> Code:
        keys = [
            (self.code(each.operand), True) if isinstance(each, Sign) and each.sign == "-" else (self.code(each), False)
            for each in arguments
        ]
        return lambda this, scene: filtering.sorted_by(before(this, scene), scene, keys)

    def constant(self, name: str) -> Code:
        known = self.known is None or name in self.known or name in self.defined or is_built_in(name)
        if not known:
            raise impossible(f"There is no variable %{name}")
        return lambda _this, scene: list(scene.variable(name))

    def binary(self, sign: str, left: Tree, right: Tree) -> Code:
        first, second = self.code(left), self.code(right)
        if sign in _LOGIC:
            return _LOGIC[sign](first, second)
        if sign == "=":
            return _equality(first, second)
        work = OPERATORS[sign]
        return lambda this, scene: work(first(this, scene), second(this, scene), scene)


def _this(this: Items, _scene: Scene) -> Items:
    return this


def _index(_focus: Items, scene: Scene) -> Items:
    return [] if scene.index is None else [scene.index]


def _total(_focus: Items, scene: Scene) -> Items:
    return scene.total


_SPECIAL: Mapping[str, Code] = {"$this": _this, "$index": _index, "$total": _total}


def _defines(tree: Tree) -> bool:
    """Whether a chain of steps defines a variable; what its arguments define is their own."""
    while True:
        match tree:
            case Dot(left=left, right=right):
                if isinstance(right, Call) and right.name == "defineVariable":
                    return True
                tree = left
            case At(left=left):
                tree = left
            case Call(name=name):
                return name == "defineVariable"
            case _:
                return False


def _scoped(code: Code) -> Code:
    def run(this: Items, scene: Scene) -> Items:
        before = scene.variables
        try:
            return code(this, scene)
        finally:
            scene.variables = before

    return run


def _named(before: Code | None, name: str, *, first: bool) -> Code:
    if first and name[:1].isupper():
        return lambda this, scene: _type_or_element(this, scene, name)
    return step(before, name)


def _type_or_element(this: Items, scene: Scene, name: str) -> Items:
    """At the start of an expression a type name is the focus itself, where it is of that type."""
    found: Items = []
    for each in this:
        if each.__class__ is Node and name in each.kind.ancestry:
            found.append(each)
        else:
            found += children_named([each], scene, name)
    return found


def _lazy(before: Code, function: Function, arguments: list[Code]) -> Code:
    work = function.work
    if len(arguments) == 1:
        only = arguments[0]
        return lambda this, scene: work(before(this, scene), scene, only)
    return lambda this, scene: work(before(this, scene), scene, *arguments)


def _eager(before: Code, function: Function, arguments: list[Code]) -> Code:
    work = function.work
    if not arguments:
        return lambda this, scene: work(before(this, scene), scene)
    if len(arguments) == 1:
        only = arguments[0]
        return lambda this, scene: work(before(this, scene), scene, only(this, scene))
    return lambda this, scene: work(before(this, scene), scene, *[each(this, scene) for each in arguments])


def _type_text(tree: Tree) -> Code:
    wanted = type_argument(tree)
    if wanted is None or not wanted.exists:
        raise impossible("This function takes the name of a type")
    return lambda _this, _scene: [wanted.name]


def _typed(sign: str, before: Code, wanted: TypeName) -> Code:
    def run_is(this: Items, scene: Scene) -> Items:
        items = before(this, scene)
        return [is_of(one(items, "is"), wanted)] if items else []

    def run_as(this: Items, scene: Scene) -> Items:
        items = before(this, scene)
        return items if items and is_exactly(one(items, "as"), wanted) else []

    return run_is if sign == "is" else run_as


def _equality(first: Code, second: Code) -> Code:
    equal = OPERATORS["="]

    def run(this: Items, scene: Scene) -> Items:
        left, right = first(this, scene), second(this, scene)
        if len(left) == 1 and len(right) == 1:
            a, b = left[0], right[0]
            if b.__class__ is str and a.__class__ is Node and a.kind.system == "String" and a.value is not None:
                return [a.value == b]
        return equal(left, right, scene)

    return run


def _both(first: Code, second: Code) -> Code:
    def run(this: Items, scene: Scene) -> Items:
        left = truth(first(this, scene))
        if left is False:
            return [False]
        right = truth(second(this, scene))
        return [False] if right is False else [] if left is None or right is None else [True]

    return run


def _either(first: Code, second: Code) -> Code:
    def run(this: Items, scene: Scene) -> Items:
        left = truth(first(this, scene))
        if left is True:
            return [True]
        right = truth(second(this, scene))
        return [True] if right is True else [] if left is None or right is None else [False]

    return run


def _implied(first: Code, second: Code) -> Code:
    def run(this: Items, scene: Scene) -> Items:
        left = truth(first(this, scene))
        if left is False:
            return [True]
        right = truth(second(this, scene))
        return [True] if right is True else [] if left is None or right is None else [False]

    return run


_LOGIC: Mapping[str, Callable[[Code, Code], Code]] = {"and": _both, "or": _either, "implies": _implied}
