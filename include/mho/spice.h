/* spice.h - circuits in ngspice: netlists as text, a session over the ngspice library,
 * co-simulation.
 *
 * Netlists are written without ngspice; the session and the co-simulation need it: in a build
 * without it they return MHO_EUNSUPPORTED and say how to get it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_H
#define MHO_SPICE_H

#include "mho/base.h"
#include "mho/store.h"

/* ---------------------------------------------------------------- session */

/** A circuit in the ngspice library. The library keeps one circuit and its results in static
 *  variables, so there is ONE OPEN SESSION A PROCESS at a time, used by one thread at a time. What
 *  ngspice prints goes to the session and nowhere else. A run has no time-out, and text that
 *  ngspice includes from files is not checked: a netlist of unknown origin belongs into a child
 *  process. */
typedef struct mho_spice mho_spice;

/** Open the session.
 *  @return MHO_OK; MHO_EUNSUPPORTED when this build or this machine has no ngspice library;
 *          MHO_ESPICE when another session is open, or when an earlier broken one left the library
 *          unusable. */
MHO_API mho_err mho_spice_open(mho_spice **out, mho_errinfo *ei);
/** Close it; nullable. After a broken session this unloads the library, so that the next one starts
 *  fresh. */
MHO_API void mho_spice_close(mho_spice *s);

/** Load a netlist in place of the one before, if any.
 *
 *  ngspice keeps about 100 bytes a line of every netlist it ever loaded: change values with
 *  mho_spice_alter rather than by loading again.
 *
 *  The first line is the title; ".end" is added when missing. A .control block is left out: its
 *  commands are for the program, mho_spice_run is for the library.
 *
 *  @param netlist  lines of text; not kept.
 *  @return MHO_OK; MHO_EINVAL for text that is known to crash or spoil the library (no element,
 *          unbalanced brackets, an external source with a value, ...), nothing is loaded then;
 *          MHO_ESPICE with ngspice's own words for what it refuses. Both set the line in ei where
 *          it is known. After some of its errors (an undefined parameter, say) ngspice takes no
 *          netlist any more: the message says "the session is broken", every later call fails in
 *          the same way, and close and open mend it. */
MHO_API mho_err mho_spice_load(mho_spice *s, const char *netlist, mho_errinfo *ei);

/** Run one analysis: "op", or "tran STEP STOP ..." with ngspice's arguments. Earlier results are
 *  dropped first.
 *  @return MHO_OK; MHO_EINVAL when nothing is loaded or the command is another one; MHO_ESPICE with
 *          ngspice's words when the analysis failed: there are no results then, stale ones are
 *          never read. */
MHO_API mho_err mho_spice_run(mho_spice *s, const char *command, mho_errinfo *ei);

/** Number of points of a result: 1 after "op".
 *  @param name  as ngspice names it: "v(out)", "i(vsense)", "@r1[i]"; in either case.
 *  @return as mho_spice_vector. */
MHO_API mho_err mho_spice_vector_length(mho_spice *s, const char *name, int *n, mho_errinfo *ei);
/** A result of the last run, [n], in V, A or s.
 *  @return MHO_OK; MHO_ENOTFOUND; MHO_EINVAL when it has another length than n; MHO_ESPICE without
 *          a successful run since the last load or alter. */
MHO_API mho_err mho_spice_vector(mho_spice *s, const char *name, double *out, int n,
                                 mho_errinfo *ei);

/** Its last point. */
MHO_API mho_err mho_spice_last(mho_spice *s, const char *name, double *out, mho_errinfo *ei);

/** Change one value of the loaded circuit: device "r1", parameter "resistance" (ohm); a source has
 *  "dc" (V or A), a capacitor "capacitance" (F). Takes microseconds, where a load takes
 *  milliseconds. Run again before reading results.
 *  @return MHO_OK; MHO_EINVAL for a malformed name, a value that is not finite or a resistance of 0
 *          (which ngspice would silently make 1 mohm); MHO_ENOTFOUND when there is no such device
 *          or parameter. */
MHO_API mho_err mho_spice_alter(mho_spice *s, const char *device, const char *param, double value,
                                mho_errinfo *ei);

/** Value (V or A) of a source written as "V1 a 0 external"; asked for in every Newton iteration.
 *  `name` is in lower case, t in s (0 in "op"). It must not call the session. */
typedef double (*mho_spice_source)(void *user, const char *name, double t);
/** Who supplies external sources; null: nobody, and a run that has some fails. */
MHO_API void mho_spice_sources(mho_spice *s, mho_spice_source source, void *user);

/** What ngspice said since the last load or run began, one message a line (the oldest are dropped
 *  when it is long). Valid until the next call. */
MHO_API const char *mho_spice_messages(const mho_spice *s);

#define MHO_PLACE_MAX 64

/** A result of a comparison; its texts and values are valid until the call returns. core, spice:
  * [row->n], the values compared. */
typedef void (*mho_cosim_result)(void *user, const mho_cosim_row *row, const double *core,
                                 const double *spice);

/* ---------------------------------------------------------------- netlists of unknown origin */

#define MHO_SPICE_CHILD                                                                            \
  "spice-child" /* the argument with which a program is to call mho_spice_child */

enum { MHO_SPICE_WORDS = 8 };
/** How a netlist runs in a process of its own. */
typedef struct mho_spice_isolation {
  /** Of this library: called with its own words, MHO_SPICE_CHILD and perhaps one more argument it
   *  must return what mho_spice_child does; "/proc/self/exe" where it is this program. */
  const char *program;
  double timeout_s; /**< after which it is stopped */
  /** Commands may start programs and write files, memory is not limited. */
  bool trusted;
  const mho_context *ctx; /**< nullable: whether to stop earlier */
  /** The program's own words, [n_words] at most MHO_SPICE_WORDS: an interpreter's script, say. */
  const char *const *words;
  int n_words;
} mho_spice_isolation;

/** Run a netlist and the commands of its .control block (up to "quit") in a process of its own,
 *  which may crash or be stopped without harm to this one. Unless it is trusted it only calculates
 *  and prints, in at most 2 GiB of memory.
 *
 *  @param out  everything that ngspice printed, as text; free it with mho_free.
 *  @return MHO_OK; errors of mho_spice_load; MHO_EINVAL for too many words, and for a command that
 *          only a trusted netlist may give; MHO_ESPICE when ngspice complained, crashed or was
 *          stopped; MHO_EINTERRUPTED. */
MHO_API mho_err mho_spice_isolated(const mho_spice_isolation *how, const char *netlist, char **out,
                                   mho_errinfo *ei);
/** The other end: what the child's main returns.
 *  @param fd     0.
 *  @param trust  the argument behind MHO_SPICE_CHILD; nullable. */
MHO_API int mho_spice_child(int fd, const char *trust);

/** What a value should be, and what was printed. */
typedef struct mho_netlist_values {
  double expected, margin, printed;
} mho_netlist_values;

/** Compare what a netlist printed with its comments "* expect NAME = VALUE +- MARGIN UNIT".
 *  @param place  storage of row->place: the name of the worst value.
 *  @param row    n values; max_abs of the worst; max_rel = its difference over its margin, pass up
 *                to 1.
 *  @param values nullable; of the worst value.
 *  @return MHO_OK, whether or not it passed; MHO_ESPICE with the line of a value that was not
 *          printed; MHO_EDATA with the line of a comment whose value or margin is none, or not
 *          finite; MHO_EINVAL without such comments. */
MHO_API mho_err mho_netlist_compare(const char *netlist, const char *printed, mho_cosim_row *row,
                                    char place[MHO_PLACE_MAX], mho_netlist_values *values,
                                    mho_errinfo *ei);

#endif
