/* verbs.c - all verbs of the command, each a file cmd_NAME.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/verbs.h"

#include <string.h>

#define X(id) extern const verb verb_##id;
#include "verb_list.inc"
#undef X
static const verb *const verbs[] = {
#define X(id) &verb_##id,
#include "verb_list.inc"
#undef X
};

int verb_count(void) {
  return MHO_COUNT(verbs);
}

const verb *verb_at(int i) {
  return verbs[i];
}

const verb *verb_find(const char *name) {
  for (int i = 0; i < verb_count(); i++)
    if (!strcmp(name, verbs[i]->name))
      return verbs[i];
  return NULL;
}
