/* sections.h - the sections that a config may have, and every key of an experiment in turn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXPERIMENT_SECTIONS_H
#define MHO_EXPERIMENT_SECTIONS_H

#include "mho/experiment.h"
#include "mho/model/check.h"

/* A section of the config: its own keys, and the words that choose registered things (whose keys
 * join it). */
enum { SELECTORS = 2 };
typedef struct mho_section {
  const char *name;
  const mho_params *common; /**< Nullable. */
  size_t common_offset;     /**< In mho_experiment. */
  struct {
    const char *key; /**< NULL: none. */
    mho_kind kind;
    const char *initial;
    size_t offset; /**< Of the mho_choice in mho_experiment. */
    /** The keys of a thing imply it where the word is left out. */
    bool implied;
    mho_idle idle;      /**< Where the choice has no effect; nullable. */
    mho_idle keys_idle; /**< Where those keys of it have none that do not say it themselves. */
  } selector[SELECTORS];
  mho_idle idle; /**< Where those of its own keys have none that do not say it themselves. */
} mho_section;

extern const mho_section mho__sections[];
extern const int mho__n_sections;

/** How many selectors a section has. */
static inline int mho__section_selectors(const mho_section *s) {
  int n = 0;
  while (n < SELECTORS && s->selector[n].key)
    n++;
  return n;
}

/** What selector k of a section has chosen. */
static inline const mho_choice *mho__section_choice(const mho_section *s, int k,
                                                    const mho_experiment *e) {
  return (const mho_choice *)((const char *)e + s->selector[k].offset);
}

/** The struct that a section's own table describes. */
static inline const void *mho__section_common(const mho_section *s, const mho_experiment *e) {
  return (const char *)e + s->common_offset;
}

/* One key of a validated experiment: a selector (param NULL, word its value) or a parameter and its
 * struct. */
typedef struct mho_setting {
  const mho_section *section;
  const char *name;
  const char *word; /**< Value of a selector. */
  bool is_default;
  bool is_brought;  /**< What is chosen brings a default for it, so that it is to be said. */
  const char *idle; /**< Why it has no effect, see mho_idle; NULL: it acts. */
  const mho_param *param;
  const void *params;
} mho_setting;

/** Calls f for every key of an experiment, section by section in printing order. */
void mho__settings_visit(const mho_experiment *e, void (*f)(void *user, const mho_setting *s),
                         void *user);

#endif
