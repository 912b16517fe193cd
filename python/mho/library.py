"""libmho through ctypes: found, loaded, its functions with their types. A function that fails raises mho.Error.

Other modules say `lib.mho_trainer_age(trainer, 1.0)`: the last parameter, an mho_errinfo, is not given. While a
function runs the interpreter's lock is released, so other threads of Python go on.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import ctypes
import os
import re
import sys

from . import declarations
from .errors import Error

SCALARS = {'int': ctypes.c_int, 'long': ctypes.c_long, 'bool': ctypes.c_bool, 'double': ctypes.c_double,
           'char': ctypes.c_char, 'size_t': ctypes.c_size_t, 'int64_t': ctypes.c_int64, 'uint64_t': ctypes.c_uint64,
           'void': None, **{name: ctypes.c_int for name in declarations.ENUMS}}


# ---------------------------------------------------------------- types

def words_of(declaration):
    """('const mho_images', 1) of 'const mho_images *part'; a name behind the type is left out."""
    stars = declaration.count('*')
    words = re.sub(r'\b(const|volatile|struct)\b|\*', ' ', declaration).split()
    return words[0], stars


def ctype(declaration):
    """The type of a member, a parameter or a result. Memory that is not a struct or a text is an address."""
    name, stars = words_of(declaration)
    if stars == 0:
        return SCALARS[name] if name in SCALARS else structs[name]
    if stars == 1 and name in callbacks:
        return callbacks[name]
    if stars == 1 and name in structs:
        return ctypes.POINTER(structs[name])
    if stars == 1 and name == 'char' and 'const' in declaration:
        return ctypes.c_char_p
    return ctypes.c_void_p


def split(parameters):
    return [] if parameters.strip() == 'void' else [p.strip() for p in parameters.split(',')]


def member(declaration):
    """(name, type) of a struct's member."""
    kind, name, size = re.fullmatch(r'(.*?)(\w+)(?:\[(\d+)\])?', declaration.strip(), re.S).groups()
    return name, ctype(kind) * int(size) if size else ctype(kind)


def members_of(name):
    """Declarations of a struct's members, in their order."""
    body = re.search(r'struct ' + name + r' \{(.*?)\};', declarations.STRUCTS, re.S)[1]
    return [m for m in body.split(';') if m.strip()]


def declared_functions():
    """{name: (result, parameters)} as text."""
    found = re.findall(r'^([\w *]*?)(mho_\w+)\((.*?)\);', declarations.FUNCTIONS, re.M | re.S)
    return {name: (result, split(parameters)) for result, name, parameters in found}


# Structs first without members, because callbacks have pointers to them and they have callbacks.
structs = {name: type(name, (ctypes.Structure,), {})
           for name in re.findall(r'^struct (\w+)', declarations.STRUCTS, re.M)}
callbacks = {}
for result, name, parameters in re.findall(r'^typedef (\w+) (\w+)\((.*?)\);', declarations.CALLBACKS, re.M):
    callbacks[name] = ctypes.CFUNCTYPE(ctype(result), *map(ctype, split(parameters)))
for name, struct in structs.items():
    struct._fields_ = [member(m) for m in members_of(name)]


# ---------------------------------------------------------------- the library

def candidates():
    """Where the library may be: MHO_LIBRARY, the build beside the sources, where it was installed, anywhere."""
    here = os.path.dirname(os.path.abspath(__file__))
    if os.environ.get('MHO_LIBRARY'):
        return [os.environ['MHO_LIBRARY']]

    found = [os.path.join(here, '..', '..', 'build', 'libmho.so')]
    installed = os.path.join(here, 'installed')
    if os.path.exists(installed):
        with open(installed, encoding='utf-8') as f:
            found.append(os.path.join(f.read().strip(), 'libmho.so.0'))
    return [path for path in found if os.path.exists(path)] + ['libmho.so.0']


def load():
    path = candidates()[0]
    try:
        library = ctypes.CDLL(path)
    except OSError as why:
        raise ImportError(f'libmho is not found ({why}): build it (ninja -C build), install it, or name its file in '
                          'MHO_LIBRARY') from why
    library.mho_version.restype = ctypes.c_char_p
    version = library.mho_version().decode()
    if version != declarations.VERSION:
        raise ImportError(f'{path} is mho {version}, this package is of {declarations.VERSION}: install both of the same')
    return library


def raise_error(err, why):
    """Raise the error of a call, with its sentence."""
    word = declarations.ERRORS[err]
    sentence = why.message.decode('utf-8', 'replace') or lib.mho_err_text(err).decode()
    raise Error(word, sentence, why.file.decode('utf-8', 'replace'), why.line, why.row, why.col)


class Library:
    """Functions of libmho as attributes, each given its types when it is first asked for."""

    def __init__(self):
        self.loaded = load()
        self.functions = declared_functions()

    def __getattr__(self, name):
        if name not in self.functions:
            raise AttributeError(f'{name} is not in mho/declarations.py')
        function = self.typed(name)
        setattr(self, name, function)
        return function

    def typed(self, name):
        result, parameters = self.functions[name]
        function = getattr(self.loaded, name)
        function.restype, function.argtypes = ctype(result), [ctype(p) for p in parameters]
        if result.strip() != 'mho_err':
            return function

        def call(*args):
            why = structs['mho_errinfo'](row=-1, col=-1)
            err = function(*args, ctypes.byref(why))
            if err:
                raise_error(err, why)
        return call


lib = Library()


# ---------------------------------------------------------------- texts and handles

def encoded(text):
    """A text for the library; None stays None."""
    return None if text is None else os.fsencode(text)


def texts(words):
    """An array of texts."""
    return (ctypes.c_char_p * len(words))(*map(encoded, words))


def text_at(address):
    """The text at an address, which stays the library's; None where there is none."""
    return ctypes.string_at(address).decode('utf-8', 'replace') if address else None


def taken(address, free=lib.mho_free):
    """The text that the library has allocated at an address, which is freed."""
    if not address:
        raise MemoryError('no memory for a text of mho')
    text = ctypes.string_at(address).decode()
    free(address)
    return text


class Memory:
    """An object of the library, which is freed when its own handle and all that need it are gone, whatever the order in
    which Python's collector takes them."""

    def __init__(self, address, free, needs):
        self.address, self.free, self.users = address, free, 1
        self.needs = [n.memory if isinstance(n, Handle) else n for n in needs]
        for memory in self.handles():
            memory.users += 1

    def handles(self):
        return [n for n in self.needs if isinstance(n, Memory)]

    def release(self):
        self.users -= 1
        if self.users == 0:
            self.free(self.address)
            for memory in self.handles():
                memory.release()
            self.needs = []


class Handle:
    """An object of the library, made by make(*args, where to put it), freed with this one.

    needs: what must live as long, other handles among it."""

    def __init__(self, make, free, *args, needs=()):
        self.memory = None
        out = ctypes.c_void_p()
        make(*args, ctypes.byref(out))
        self.memory = Memory(out.value, free, needs)

    @classmethod
    def of(cls, address, free, needs=()):
        """A handle of what there is already."""
        handle = cls.__new__(cls)
        handle.memory = Memory(address, free, needs)
        return handle

    @property
    def address(self):
        if self.memory is None:
            raise Error('EINVAL', 'this object of mho has been closed')
        return self.memory.address

    @property
    def _as_parameter_(self):
        return self.address

    def close(self):
        if self.memory is not None:
            self.memory.release()
        self.memory = None

    def __del__(self):
        if not sys.is_finalizing():
            self.close()
