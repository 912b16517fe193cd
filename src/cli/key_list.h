/* key_list.h - config keys as people and programs list them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_CLI_KEY_LIST_H
#define MHO_CLI_KEY_LIST_H

#include "cli/cli.h"

/** Print the names of the sections on one line: "keys: dataset network ...". */
void print_sections(const mho_registry *r);
/** Print every key that a config may have, as tables of sections or as JSON, an object a line.
 *  @param section  only this one; nullable.
 *  @return how many keys were printed: 0 where there is no such section. */
int print_keys(const mho_registry *r, const char *section, bool json);

#endif
