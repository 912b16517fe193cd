/* known_keys.h - every key that a config may have, whatever it chooses.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXPERIMENT_KNOWN_KEYS_H
#define MHO_EXPERIMENT_KNOWN_KEYS_H

#include "mho/experiment.h"
#include "mho/model/entry.h"

typedef struct mho_known_key {
  const char *section, *name; /**< "device", "drift.law" */
  const mho_param *param;     /**< NULL: it chooses a registered thing */
  mho_params table;           /**< that the parameter is of */
  mho_kind kind;              /**< of what it chooses, or of its owner */
  const char *initial;        /**< what is chosen by default; NULL: a parameter */
  bool implied;               /**< the section alone, "device: linear", chooses */
  const mho_entry *owner;     /**< the registered thing whose key it is; NULL: the section's */
} mho_known_key;

/** Calls f for every key, section by section: the words that choose registered things, the keys of
 *  the section, and those of each thing that may be chosen. */
void mho__known_keys_visit(const mho_registry *r, void (*f)(void *user, const mho_known_key *k),
                           void *user);

#endif
