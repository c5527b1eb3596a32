"""The Jinja environment: templates of every room, component macros as `ui`, filters, translations. Autoescape, strict."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.runtime import Macro
from markupsafe import Markup

from yersin.web import language, wording
from yersin.web.shell import new_key, shown

WEB = Path(__file__).parent
COMPONENTS = WEB / "components"


class Components:
    """The macros of all component folders under one name: `{{ ui.button(...) }}`."""

    def __init__(self, environment: Environment) -> None:
        self._macros: dict[str, Macro] = {}
        for folder in component_names():
            module = environment.get_template(f"components/{folder}/{folder}.html").module
            exported = {name: value for name, value in vars(module).items() if isinstance(value, Macro)}
            self._macros.update({name: macro for name, macro in exported.items() if not name.startswith("_")})

    def __getattr__(self, name: str) -> Macro:
        try:
            return self._macros[name]
        except KeyError as error:
            raise AttributeError(f"no component is called {name}; known: {', '.join(sorted(self._macros))}") from error


def component_names() -> list[str]:
    """Return the component folders in alphabetical order."""
    return sorted(folder.name for folder in COMPONENTS.iterdir() if folder.is_dir())


def build(rooms: Iterable[Path]) -> Environment:
    """Make the environment; templates are looked up in `<room>/templates/`, so name them `<room>/<page>.html`."""
    folders = [str(room / "templates") for room in rooms if (room / "templates").is_dir()]
    loaders = [FileSystemLoader([str(WEB / "templates"), *folders])]
    components = PrefixLoader({"components": FileSystemLoader(str(COMPONENTS))})
    environment = Environment(
        loader=ChoiceLoader([*loaders, components]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )
    environment.install_gettext_callables(**language.jinja_callables(), newstyle=True)  # type: ignore[attr-defined]  # set by the extension
    environment.filters.update(wording.FILTERS)
    environment.globals.update(_globals())
    environment.globals["ui"] = Components(environment)
    return environment


def _globals() -> dict[str, Any]:
    return {"icon": icon, "new_key": new_key, "page_shell": shown.get, "attributes": attributes}


def icon(name: str, label: str = "") -> Markup:
    """Return an icon from the sprite; without a label it is decoration and hidden from screen readers."""
    use = Markup('<use href="{}#{}"/>').format(shown.get().assets.url("sprite.svg"), name)
    role = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon" {}>{}</svg>').format(role, use)


def attributes(values: dict[str, object]) -> Markup:
    """Write HTML attributes from a mapping; `data_x` becomes `data-x`, True a bare name, False and None nothing."""
    parts = []
    for name, value in values.items():
        plain = name.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(Markup(" {}").format(plain))
        elif value is not None and value is not False:
            parts.append(Markup(' {}="{}"').format(plain, value))
    return Markup("").join(parts)
