"""mho/declarations.py says what the headers say: a C compiler takes both together.

Every prototype is declared anew, which a compiler refuses where it differs; of every struct size and the offset and
type of every member are asserted, of every constant its number. What is asserted is read from the ctypes that the
package calls with, not from the text.
"""
import ctypes
import os
import re
import subprocess

from support import SOURCE, Case, main

from mho import declarations, library

HEAD = '#include <stddef.h>\n#include "mho/mho.h"\n' + declarations.CALLBACKS


def compiled(text):
    """What a compiler has against a program; '' where it has nothing."""
    p = subprocess.run(['cc', '-std=c17', '-fsyntax-only', '-Wall', '-Werror', '-Wno-array-parameter', '-I', os.path.join(SOURCE, 'include'), '-x', 'c', '-'],
                       input=text, capture_output=True, text=True)
    return p.stderr if p.returncode else ''


def struct_asserts():
    for name, struct in library.structs.items():
        yield f'_Static_assert(sizeof({name}) == {ctypes.sizeof(struct)}, "{name}");'
        for declaration, (member, _) in zip(library.members_of(name), struct._fields_):
            kind, array = re.fullmatch(r'\s*(.*?)\w+(\[\d+\])?', declaration, re.S).groups()
            offset = getattr(struct, member).offset
            yield f'_Static_assert(offsetof({name}, {member}) == {offset}, "{name}.{member}");'
            yield (f'_Static_assert(__builtin_types_compatible_p(__typeof__((({name} *)0)->{member}), '
                   f'__typeof__({kind} {array or ""})), "type of {name}.{member}");')


def constant_asserts():
    for name, number in declarations.CONSTANTS.items():
        yield f'_Static_assert({name} == {number}, "{name}");'
    for number, name in enumerate(declarations.ERRORS):
        yield f'_Static_assert(MHO_{name} == {number}, "{name}");'
    yield f'_Static_assert(MHO_ERR_COUNT == {len(declarations.ERRORS)}, "errors");'
    for name in declarations.ENUMS:
        yield f'_Static_assert(sizeof({name}) == sizeof(int), "{name}");'
    yield f'_Static_assert(!__builtin_strcmp(MHO_VERSION, "{declarations.VERSION}"), "version");'


class Declarations(Case):
    def test_prototypes_are_those_of_the_headers(self):
        self.assertEqual(compiled(HEAD + declarations.FUNCTIONS), '')

    def test_layouts_are_those_of_the_headers(self):
        self.assertEqual(compiled(HEAD + '\n'.join(struct_asserts())), '')

    def test_constants_are_those_of_the_headers(self):
        self.assertEqual(compiled(HEAD + '\n'.join(constant_asserts())), '')

    def test_what_differs_is_found(self):
        """The three above can fail."""
        other = declarations.FUNCTIONS.replace('mho_trainer_age(mho_trainer *, double,', 'mho_trainer_age(mho_trainer *, float,')
        self.assertIn('conflicting types', compiled(HEAD + other))
        moved = '\n'.join(struct_asserts()).replace('offsetof(mho_cell, d) == 16', 'offsetof(mho_cell, d) == 8')
        self.assertIn('mho_cell.d', compiled(HEAD + moved))
        typed = '\n'.join(struct_asserts()).replace('__typeof__(int64_t  )), "type of mho_cell.i"', '__typeof__(uint64_t  )), "type of mho_cell.i"')
        self.assertIn('type of mho_cell.i', compiled(HEAD + typed))

    def test_every_function_is_in_the_library(self):
        for name in library.lib.functions:
            self.assertTrue(callable(getattr(library.lib, name)), name)

    def test_every_declaration_is_parsed(self):
        self.assertEqual(len(library.lib.functions), declarations.FUNCTIONS.count(');'))
        self.assertEqual(len(library.structs), declarations.STRUCTS.count('};'))
        self.assertEqual(len(library.callbacks), declarations.CALLBACKS.count(');'))

    def test_the_version_is_that_of_the_build(self):
        with open(os.path.join(SOURCE, 'meson.build'), encoding='utf-8') as f:
            self.assertIn(f"version: '{declarations.VERSION}'", f.read())


if __name__ == '__main__':
    main()
