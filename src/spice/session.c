/* session.c - one circuit in the ngspice library.
 *
 * The library is opened when the first session needs it, not linked: after some errors in a netlist
 * (an undefined parameter) it refuses every netlist that follows, and unloading is the only cure.
 * Its return codes do not tell of errors either: what it prints does, so every message is watched,
 * results are dropped before a run, and a run counts when nothing complained and a new set of
 * results is there.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/spice.h"
#include "mho_config.h"

#ifdef MHO_HAVE_NGSPICE
#include "spice/deck.h"
#include "spice/session.h"

#include <ctype.h>
#include <dlfcn.h>
#include <math.h>
#include <ngspice/sharedspice.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LOG_MAX = 8192, WHY_MAX = 480, NAME_MAX_LENGTH = 120, COMMAND_MAX = 512 };

struct mho_spice {
  bool loaded; /* a netlist */
  bool ready;  /* results of a run of it, as it is now */
  bool broken; /* the library asked to be unloaded */
  bool failed; /* an error was printed since begin() */
  bool warned;
  void (*listener)(void *user, const char *line); /* nullable */
  void *listener_user;
  mho_spice_source source; /* nullable */
  void *source_user;
  char log[LOG_MAX]; /* messages since begin() */
  char why[WHY_MAX]; /* those that explain an error, with "; " between them */
};

/* ---------------------------------------------------------------- the library */

#define CALLS(X)                                                                                   \
  X(ngSpice_Init)                                                                                  \
  X(ngSpice_Init_Sync)                                                                             \
  X(ngSpice_Command)                                                                               \
  X(ngSpice_Circ)                                                                                  \
  X(ngSpice_CurPlot)                                                                               \
  X(ngSpice_AllVecs)                                                                               \
  X(ngGet_Vec_Info)

/* The library is one a process, and so is this state, the only one outside of a session. */
static struct {
  atomic_flag taken;               /* a session is open; the rest is touched by its owner only */
  mho_spice_lease *_Atomic keeper; /* the lease whose session it is; nullable */
  bool stuck;                      /* broken, and kept in memory by something else */
  void *handle;                    /* null: not loaded */
#define X(name) __typeof__(name) *name;
  CALLS(X)
#undef X
} ng = {.taken = ATOMIC_FLAG_INIT};

static const char *const file_names[] = {"libngspice.so.0", "libngspice.so"};

static void unload(void) {
  dlclose(ng.handle);
  ng.handle = NULL;
}

static mho_err load_library(mho_errinfo *ei) {
  for (int i = 0; i < MHO_COUNT(file_names); i++) {
    ng.handle = dlopen(file_names[i], RTLD_NOW | RTLD_LOCAL);
    if (ng.handle)
      break;
  }

  if (!ng.handle) {
    const char *why = dlerror();
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "cannot load the ngspice library (%s): install libngspice0",
                    why ? why : file_names[0]);
  }

  const char *missing = NULL;
#define X(name)                                                                                    \
  {                                                                                                \
    void *p = dlsym(ng.handle, #name);                                                             \
    memcpy(&ng.name, &p, sizeof p);                                                                \
    if (!p)                                                                                        \
      missing = #name;                                                                             \
  }
  CALLS(X)
#undef X

  if (!missing)
    return MHO_OK;
  unload();
  return mho_fail(ei, MHO_EUNSUPPORTED,
                  "the ngspice library has no %s: install libngspice0 39 or newer", missing);
}

/* ---------------------------------------------------------------- messages */

static void begin(mho_spice *s) {
  s->failed = s->warned = false;
  s->log[0] = s->why[0] = 0;
}

/* Append a line to the log; room is made by dropping the older half. */
static void log_line(mho_spice *s, const char *text) {
  size_t used = strlen(s->log), more = strnlen(text, LOG_MAX / 4) + 1;
  if (used + more >= LOG_MAX) {
    char *keep = strchr(s->log + LOG_MAX / 2, '\n');
    keep = keep ? keep + 1 : s->log + used;
    memmove(s->log, keep, strlen(keep) + 1);
  }
  mho_text_append(s->log, LOG_MAX, "%.*s\n", (int)more - 1, text);
}

static bool starts(const char *text, const char *with) {
  return !strncasecmp(text, with, strlen(with));
}

/* Sort out what ngspice writes to its standard error: progress, warnings (the first one may
 * explain the error that follows) and errors. Some of the latter name the trouble in a line without
 * the word "error". */
static void judge(mho_spice *s, const char *text) {
  static const char *const noise[] = {"Note:", "Trying ", "Supplies reduced",
                                      "Please check your input",
                                      "Error: ngspice.dll cannot recover"};

  if (!starts(text, "Warning") && (strcasestr(text, "error") || strcasestr(text, "aborted")))
    s->failed = true;

  for (int i = 0; i < MHO_COUNT(noise); i++)
    if (starts(text, noise[i]))
      return;

  if (strcasestr(text, "warning")) {
    if (s->warned)
      return;
    s->warned = true;
  }

  if (!strstr(s->why, text))
    mho_text_append(s->why, WHY_MAX, "%s%s", *s->why ? "; " : "", text);
}

static int on_message(char *message, int id, void *user) {
  mho_spice *s = user;
  bool is_error = starts(message, "stderr ");
  if (is_error || starts(message, "stdout "))
    message += strlen("stderr ");

  if (!*message || strchr(message, '\r')) /* a progress display */
    return 0;

  log_line(s, message);
  if (s->listener)
    s->listener(s->listener_user, message);
  if (is_error)
    judge(s, message);
  return 0;
}

/* ngspice gives up: it goes back to our call, but will not take another netlist. */
static int on_exit_request(int status, NG_BOOL immediately, NG_BOOL quit, int id, void *user) {
  mho_spice *s = user;
  s->broken = true;
  return status;
}

static int on_source(double *value, double t, char *name, int id, void *user) {
  mho_spice *s = user;
  *value = s->source ? s->source(s->source_user, name, t) : 0;
  if (!s->source && !s->failed) {
    s->failed = true;
    mho_text_append(s->why, WHY_MAX, "nobody supplies the external source %s", name);
  }
  return 0;
}

/* The line of the netlist that ngspice named; 0: none. */
static int line_named(const mho_spice *s) {
  static const char *const phrases[] = {"line no. ", "on line "};
  for (int i = 0; i < MHO_COUNT(phrases); i++) {
    const char *at = strcasestr(s->why, phrases[i]);
    if (at)
      return atoi(at + strlen(phrases[i]));
  }
  return 0;
}

/* The error that the last command ended in, with the line of the netlist when ngspice named one. */
static mho_err failure(mho_spice *s, const char *what, mho_errinfo *ei) {
  return mho_fail_at(ei, MHO_ESPICE, NULL, line_named(s), "%s: %s%s", what,
                     *s->why ? s->why : "ngspice gave no reason",
                     s->broken ? "; the session is broken: close it and open another" : "");
}

static mho_err check_usable(const mho_spice *s, mho_errinfo *ei) {
  if (!s->broken)
    return MHO_OK;
  return mho_fail(ei, MHO_ESPICE,
                  "the session is broken by an earlier netlist or run: close it and open another");
}

static void hand_over(const char *text) {
  char copy[COMMAND_MAX]; /* ngspice wants it writable */
  snprintf(copy, sizeof copy, "%s", text);
  ng.ngSpice_Command(copy);
}

/* ngspice keeps every command, as if it belonged to a loop, some 400 bytes each, until it is told
 * to clear them. */
static void command(const char *text) {
  hand_over(text);
  ng.ngSpice_Command(NULL);
}

/* ---------------------------------------------------------------- open, close */

static mho_err attach(mho_spice *s, mho_errinfo *ei) {
  if (ng.stuck)
    return mho_fail(ei, MHO_ESPICE,
                    "the ngspice library was left unusable by an earlier netlist and cannot be "
                    "unloaded, because the program is linked to it: start the program again");

  begin(s);
  if (!ng.handle) {
    mho_err err = load_library(ei);
    if (err)
      return err;
    ng.ngSpice_Init(on_message, NULL, on_exit_request, NULL, NULL, NULL, s);
  }

  /* from here on the messages go to s */
  ng.ngSpice_Init_Sync(on_source, on_source, NULL, NULL, s);
  if (!s->broken)
    return MHO_OK;

  mho_err err = failure(s, "ngspice does not start", ei);
  unload();
  return err;
}

/* Close the session of a lease. @return whether there was one. */
static bool take_away(mho_spice_lease *k) {
  if (!k || pthread_mutex_trylock(&k->lock))
    return false;

  bool had = k->session != NULL;
  mho__spice_lease_close(k);
  pthread_mutex_unlock(&k->lock);
  return had;
}

mho_err mho_spice_open(mho_spice **out, mho_errinfo *ei) {
  *out = NULL;
  bool taken = atomic_flag_test_and_set(&ng.taken);
  if (taken && take_away(ng.keeper))
    taken = atomic_flag_test_and_set(&ng.taken);
  if (taken)
    return mho_fail(ei, MHO_ESPICE,
                    "a session is open already: close it first "
                    "(the ngspice library holds one circuit a process)");

  mho_spice *s = mho_alloc(1, sizeof *s);
  mho_err err = s ? attach(s, ei) : mho_fail(ei, MHO_ENOMEM, "no memory for an ngspice session");
  if (err) {
    mho_free(s);
    atomic_flag_clear(&ng.taken);
    return err;
  }

  *out = s;
  return MHO_OK;
}

void mho_spice_close(mho_spice *s) {
  if (!s)
    return;

  if (s->broken) {
    unload();
    void *still = dlopen(file_names[0], RTLD_NOW | RTLD_NOLOAD);
    ng.stuck = still != NULL;
    if (still)
      dlclose(still);
  } else {
    /* the library stays loaded: starting it leaks memory, and takes longer than a run */
    command("destroy all");
    command("remcirc");
  }

  mho_free(s);
  ng.keeper = NULL;
  atomic_flag_clear(&ng.taken);
}

mho_err mho__spice_lease_open(mho_spice_lease *k, mho_errinfo *ei) {
  mho_err err = mho_spice_open(&k->session, ei);
  if (!err)
    ng.keeper = k;
  return err;
}

void mho__spice_lease_close(mho_spice_lease *k) {
  if (k->closing)
    k->closing();
  mho_spice_close(k->session);
  k->session = NULL;
}

const char *mho_spice_messages(const mho_spice *s) {
  return s->log;
}

void mho_spice_sources(mho_spice *s, mho_spice_source source, void *user) {
  s->source = source;
  s->source_user = user;
}

/* ---------------------------------------------------------------- load, run, alter */

mho_err mho_spice_load(mho_spice *s, const char *netlist, mho_errinfo *ei) {
  mho_deck deck;
  mho_err err = check_usable(s, ei);
  if (!err)
    err = mho__deck_make(netlist, &deck, ei);
  if (err)
    return err;

  s->loaded = s->ready = false;
  command("destroy all");
  command("remcirc"); /* complains when there is none */
  begin(s);
  int rc = ng.ngSpice_Circ(deck.line);
  mho__deck_free(&deck);
  if (rc || s->failed || s->broken)
    return failure(s, "ngspice refused the netlist", ei);

  s->loaded = true;
  return MHO_OK;
}

/* Commands are split at ";" and expanded like those of a shell, so nothing but plain arguments may
 * pass. The analyses are those that are known to return: "dc" with a missing step does not. */
static mho_err check_command(const char *text, mho_errinfo *ei) {
  size_t n = strcspn(text, " ");
  bool known = (n == 2 && !strncmp(text, "op", n)) || (n == 4 && !strncmp(text, "tran", n));
  if (!known)
    return mho_fail(ei, MHO_EINVAL,
                    "'%.60s' is not an analysis that a session runs: op, or tran STEP STOP", text);

  for (const char *p = text; *p; p++)
    if (!isalnum((unsigned char)*p) && !strchr(" .+-", *p))
      return mho_fail(ei, MHO_EINVAL, "'%.60s' has a character that is not part of an argument",
                      text);

  if (strlen(text) >= COMMAND_MAX)
    return mho_fail(ei, MHO_EINVAL, "the command is longer than %d characters", COMMAND_MAX - 1);
  return MHO_OK;
}

/* Whether there are results: after "destroy all" only the plot of constants is left. */
static bool has_plot(void) {
  const char *plot = ng.ngSpice_CurPlot();
  return plot && strcmp(plot, "const") != 0;
}

static mho_err command_failure(mho_spice *s, const char *text, mho_errinfo *ei) {
  char what[80];
  snprintf(what, sizeof what, "ngspice failed in '%.40s'", text);
  return failure(s, what, ei);
}

mho_err mho_spice_run(mho_spice *s, const char *text, mho_errinfo *ei) {
  mho_err err = check_usable(s, ei);
  if (!err)
    err = check_command(text, ei);
  if (err)
    return err;
  if (!s->loaded)
    return mho_fail(ei, MHO_EINVAL, "no netlist is loaded");

  s->ready = false;
  command("destroy all");
  begin(s);
  command(text);

  if (s->failed || s->broken || !has_plot())
    return command_failure(s, text, ei);
  s->ready = true;
  return MHO_OK;
}

void mho__spice_listen(mho_spice *s, void (*line)(void *user, const char *line), void *user) {
  s->listener = line;
  s->listener_user = user;
}

mho_err mho__spice_any_command(mho_spice *s, const char *text, mho_errinfo *ei) {
  mho_err err = check_usable(s, ei);
  if (err)
    return err;

  begin(s);
  hand_over(text); /* uncleared: it may be the first of a loop */
  s->ready = has_plot();
  return s->failed || s->broken ? command_failure(s, text, ei) : MHO_OK;
}

static bool is_name(const char *text, const char *others) {
  size_t n = 0;
  for (; text[n]; n++)
    if (!isalnum((unsigned char)text[n]) && !strchr(others, text[n]))
      return false;
  return n > 0 && n <= NAME_MAX_LENGTH;
}

mho_err mho_spice_alter(mho_spice *s, const char *device, const char *param, double value,
                        mho_errinfo *ei) {
  mho_err err = check_usable(s, ei);
  if (err)
    return err;
  if (!s->loaded)
    return mho_fail(ei, MHO_EINVAL, "no netlist is loaded");
  if (!is_name(device, "_.:#+-") || !is_name(param, "_"))
    return mho_fail(ei, MHO_EINVAL,
                    "'%.60s' and '%.60s' are not the names of a device and its parameter", device,
                    param);
  if (!isfinite(value) || (value == 0 && !strcasecmp(param, "resistance")))
    return mho_fail(ei, MHO_EINVAL, "%s of %s cannot be %g", param, device, value);

  char text[COMMAND_MAX];
  snprintf(text, sizeof text, "alter @%s[%s] = %.17g", device, param, value);

  begin(s);
  command(text);
  if (s->broken)
    return failure(s, "ngspice failed in alter", ei);
  if (s->failed)
    return mho_fail(ei, MHO_ENOTFOUND, "cannot set %s of %s: %s", param, device, s->why);

  s->ready = false;
  return MHO_OK;
}

/* ---------------------------------------------------------------- results */

static bool plot_has(const char *plot, const char *name) {
  char copy[NAME_MAX_LENGTH];
  snprintf(copy, sizeof copy, "%s", plot);

  char **all = ng.ngSpice_AllVecs(copy);
  if (!all)
    return false;

  for (; *all; all++)
    if (!strcasecmp(*all, name))
      return true;
  return false;
}

/* ngspice looks among its constants as well: the voltage of a node "e" that does not exist would be
 * 2.718. */
static bool is_constant(const char *name) {
  char node[NAME_MAX_LENGTH + 1];
  snprintf(node, sizeof node, "%s", starts(name, "v(") ? name + 2 : name);
  node[strcspn(node, ")")] = 0;
  return plot_has("const", node) && !plot_has(ng.ngSpice_CurPlot(), node);
}

static mho_err find(mho_spice *s, const char *name, pvector_info *out, mho_errinfo *ei) {
  mho_err err = check_usable(s, ei);
  if (err)
    return err;
  if (!s->ready)
    return mho_fail(ei, MHO_ESPICE,
                    "there are no results to read %.60s from: run an analysis first", name);
  if (!is_name(name, "_.:#+-@[]()"))
    return mho_fail(ei, MHO_EINVAL,
                    "'%.60s' is not the name of a result: write v(node), i(vsource)", name);

  char copy[NAME_MAX_LENGTH + 1];
  snprintf(copy, sizeof copy, "%s", name);
  *out = ng.ngGet_Vec_Info(copy);
  if (!*out || is_constant(name))
    return mho_fail(ei, MHO_ENOTFOUND, "the run has no result named %s", name);
  if (!(*out)->v_realdata)
    return mho_fail(ei, MHO_EUNSUPPORTED, "%s is complex", name);
  return MHO_OK;
}

mho_err mho_spice_vector_length(mho_spice *s, const char *name, int *n, mho_errinfo *ei) {
  pvector_info v;
  mho_err err = find(s, name, &v, ei);
  *n = err ? 0 : v->v_length;
  return err;
}

mho_err mho_spice_vector(mho_spice *s, const char *name, double *out, int n, mho_errinfo *ei) {
  pvector_info v;
  mho_err err = find(s, name, &v, ei);
  if (err)
    return err;
  if (v->v_length != n)
    return mho_fail(ei, MHO_EINVAL, "%s has %d points, expected %d", name, v->v_length, n);

  memcpy(out, v->v_realdata, (size_t)n * sizeof *out);
  return MHO_OK;
}

mho_err mho_spice_last(mho_spice *s, const char *name, double *out, mho_errinfo *ei) {
  pvector_info v;
  mho_err err = find(s, name, &v, ei);
  if (!err && v->v_length < 1)
    err = mho_fail(ei, MHO_ESPICE, "%s has no points", name);
  if (!err)
    *out = v->v_realdata[v->v_length - 1];
  return err;
}

#else /* no ngspice */

#include "spice/session.h"

static mho_err none(mho_errinfo *ei) {
  return mho_fail(ei, MHO_EUNSUPPORTED,
                  "this build has no ngspice: install libngspice0-dev and rebuild");
}

mho_err mho_spice_open(mho_spice **out, mho_errinfo *ei) {
  *out = NULL;
  return none(ei);
}

void mho_spice_close(mho_spice *s) {}

mho_err mho__spice_lease_open(mho_spice_lease *k, mho_errinfo *ei) {
  return none(ei);
}

void mho__spice_lease_close(mho_spice_lease *k) {}

const char *mho_spice_messages(const mho_spice *s) {
  return "";
}

void mho_spice_sources(mho_spice *s, mho_spice_source source, void *user) {}

mho_err mho_spice_load(mho_spice *s, const char *netlist, mho_errinfo *ei) {
  return none(ei);
}

mho_err mho_spice_run(mho_spice *s, const char *command, mho_errinfo *ei) {
  return none(ei);
}

mho_err mho_spice_alter(mho_spice *s, const char *device, const char *param, double value,
                        mho_errinfo *ei) {
  return none(ei);
}

mho_err mho_spice_vector_length(mho_spice *s, const char *name, int *n, mho_errinfo *ei) {
  *n = 0;
  return none(ei);
}

mho_err mho_spice_vector(mho_spice *s, const char *name, double *out, int n, mho_errinfo *ei) {
  return none(ei);
}

mho_err mho_spice_last(mho_spice *s, const char *name, double *out, mho_errinfo *ei) {
  return none(ei);
}

void mho__spice_listen(mho_spice *s, void (*line)(void *user, const char *line), void *user) {}

mho_err mho__spice_any_command(mho_spice *s, const char *command, mho_errinfo *ei) {
  return none(ei);
}

#endif

mho_err mho__spice_lease_check(mho_spice_lease *k, mho_errinfo *ei) {
  mho_spice *s = NULL;
  mho_err err = MHO_OK;

  pthread_mutex_lock(&k->lock);
  if (!k->session)
    err = mho_spice_open(&s, ei);
  mho_spice_close(s);
  pthread_mutex_unlock(&k->lock);
  return err;
}
