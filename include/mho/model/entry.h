/* entry.h - what every registered thing says of itself, and the tables of its parameters.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_ENTRY_H
#define MHO_MODEL_ENTRY_H

#include "mho/base.h"

#define MHO_ABI 20 /* of every registered struct; raised when one of them changes */

/* ---------------------------------------------------------------- parameters */

/** Type of a parameter, and of the member that holds it. */
typedef enum mho_param_kind {
  MHO_PARAM_REAL,   /**< double */
  MHO_PARAM_INT,    /**< int64_t */
  MHO_PARAM_BOOL,   /**< bool */
  MHO_PARAM_CHOICE, /**< int, index into choices */
  MHO_PARAM_TEXT,   /**< char[MHO_TEXT_MAX] */
  MHO_PARAM_INTS,   /**< mho_ints */
  MHO_PARAM_REALS   /**< mho_reals, plain numbers */
} mho_param_kind;

#define MHO_INTS_MAX 128
/** A list of integers. */
typedef struct mho_ints {
  int n;
  int v[MHO_INTS_MAX];
} mho_ints;
/** A list of numbers. */
typedef struct mho_reals {
  int n;
  double v[MHO_INTS_MAX];
} mho_reals;

struct mho_experiment;

/** Why a key has no effect in an experiment, as what follows "because": "device.model ideal has no
 *  cells". NULL: it acts. */
typedef const char *(*mho_idle)(const struct mho_experiment *e);

/** One parameter: the single source of validation, help, the printed config and the documentation.
 *  It lives at `offset` of its owner's parameter struct. */
typedef struct mho_param {
  const char *name; /**< dots make nested keys: "noise.redraw" */
  mho_param_kind kind;
  /** SI unit of a physical quantity ("S", "ohm", "s", "V"); "" for a number. */
  const char *unit;
  double initial;   /**< default of a number, a bool or a choice */
  double low, high; /**< allowed range of a number or of each list entry, inclusive */
  /** Default of a text or a list ("64 64"); for a choice: its words, "held|live". */
  const char *text;
  size_t offset;
  const char *doc; /**< one line */
  mho_idle idle;   /**< where it has no effect; nullable: it acts wherever it is a key */
} mho_param;

/* What follows a parameter's kind and range: its line of documentation, and `.idle = ...` where it
 * has one. */
#define MHO_P_REAL(T, field, name, unit, initial, low, high, ...)                                  \
  { name, MHO_PARAM_REAL, unit, initial, low, high, NULL, offsetof(T, field), __VA_ARGS__ }
#define MHO_P_INT(T, field, name, initial, low, high, ...)                                         \
  { name, MHO_PARAM_INT, "", initial, low, high, NULL, offsetof(T, field), __VA_ARGS__ }
#define MHO_P_BOOL(T, field, name, initial, ...)                                                   \
  { name, MHO_PARAM_BOOL, "", initial, 0, 1, NULL, offsetof(T, field), __VA_ARGS__ }
#define MHO_P_CHOICE(T, field, name, words, initial, ...)                                          \
  { name, MHO_PARAM_CHOICE, "", initial, 0, 0, words, offsetof(T, field), __VA_ARGS__ }
#define MHO_P_TEXT(T, field, name, initial, ...)                                                   \
  { name, MHO_PARAM_TEXT, "", 0, 0, 0, initial, offsetof(T, field), __VA_ARGS__ }
#define MHO_P_INTS(T, field, name, initial, low, high, ...)                                        \
  { name, MHO_PARAM_INTS, "", 0, low, high, initial, offsetof(T, field), __VA_ARGS__ }
#define MHO_P_REALS(T, field, name, initial, low, high, ...)                                       \
  { name, MHO_PARAM_REALS, "", 0, low, high, initial, offsetof(T, field), __VA_ARGS__ }

/** A table and its length. */
typedef struct mho_params {
  const mho_param *p;
  int n;
  size_t size; /**< of the struct the table describes */
} mho_params;
#define MHO_PARAMS(T, table)                                                                       \
  { table, MHO_COUNT(table), sizeof(T) }
#define MHO_PARAMS_NONE                                                                            \
  { NULL, 0, 0 }

/** Every parameter of the table at its default, into the struct at `out`. */
MHO_API void mho_params_init(mho_params table, void *out);
/** The parameter of that name, or NULL. */
MHO_API const mho_param *mho_params_find(mho_params table, const char *name);
/** Parse one value as text: a number with its unit ("25 uS"), a word, or a list ("64 64").
 *  @param bare  numbers of physical quantities are SI without a unit (stored configs).
 *  @return MHO_OK or MHO_ECONFIG with what is wrong, the allowed range, and an example (no
 *  place). */
MHO_API mho_err mho_param_parse(const mho_param *p, const char *text, bool bare, void *out,
                                mho_errinfo *ei);
/** The value as text that mho_param_parse reads back exactly; with its unit unless bare. */
MHO_API void mho_param_format(const mho_param *p, const void *params, bool bare, char *buf,
                              size_t capacity);
/** Whether the value is the default. */
MHO_API bool mho_param_is_default(const mho_param *p, const void *params);
/** "0.001 to 1 S", "held|live", ...: what is allowed, for help and messages. */
MHO_API void mho_param_range(const mho_param *p, char *buf, size_t capacity);
/** A key of the config that a registered thing brings a default for. */
typedef struct mho_default {
  const char *key;  /**< "update.rate" */
  const char *text; /**< its value, as a config has it */
} mho_default;

/** What every registered thing says of itself: device models, neurons, rules, datasets ... all
 *  start with one. */
typedef struct mho_entry {
  int abi;              /**< MHO_ABI */
  const char *id;       /**< the word in the config */
  const char *title;    /**< one line */
  const char *equation; /**< nullable */
  const char *source;   /**< paper and equation, nullable */
  mho_params params;    /**< its own config keys */
  /** Keys of other sections that have other defaults where this thing is chosen, such as the rate
   *  that a rule learns with; what the config sets goes first. [n_defaults]; nullable. */
  const mho_default *defaults;
  int n_defaults;
  /** Whether it fits the others that an experiment has chosen (mho/model/check.h); nullable.
   *  @return MHO_OK; MHO_ECONFIG with a sentence that names both keys, "update.optimizer: ...": the
   *          first of them that is set is the place that is reported. */
  mho_err (*check)(const struct mho_experiment *e, mho_errinfo *ei);
  /** Why a key of any section, "network.neuron", has no effect where this thing is chosen, said as
   *  an mho_idle says it; NULL: it acts, as far as this thing goes. Nullable. */
  const char *(*idle)(const struct mho_experiment *e, const char *key);
} mho_entry;
#define MHO_DEFAULTS(table) .defaults = table, .n_defaults = MHO_COUNT(table)

#endif
