/* verbs.h - all verbs of the command. A verb itself does not include it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_CLI_VERBS_H
#define MHO_CLI_VERBS_H

#include "cli/cli.h"

/** How many verbs there are. */
int verb_count(void);
/** The i-th, in the order of the help. */
const verb *verb_at(int i);
/** The verb of that name, or NULL. */
const verb *verb_find(const char *name);

/** Print the manual page of a verb, or of the command itself (NULL), for man(1). */
void print_manual(const verb *v);

/** Print what the last of n words of a command line, without "mho", may become, a line each: the
 *  whole word, a tab, what it means. A word that ends in "=" or "." goes on. In the place of names
 *  of files there is a line "<files>", of folders "<folders>", of files with an ending
 *  "<files .yaml>". */
void print_completions(int n, char *const *words);

#endif
