/* report.c - the list of reports.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/report.h"

#include <string.h>

#define X(id) extern const mho_report mho_report_##id;
#include "report_list.inc"
#undef X

static const mho_report *const reports[] = {
#define X(id) &mho_report_##id,
#include "report_list.inc"
#undef X
};

int mho_report_count(void) {
  return MHO_COUNT(reports);
}

const mho_report *mho_report_at(int i) {
  return i >= 0 && i < mho_report_count() ? reports[i] : NULL;
}

const mho_report *mho_report_find(const char *id) {
  for (int i = 0; i < mho_report_count(); i++)
    if (!strcmp(reports[i]->entry.id, id))
      return reports[i];
  return NULL;
}
