/* spice.h - circuits in ngspice: netlists as text, a session over the ngspice library, co-simulation.
 *
 * Netlists are written without ngspice; the session and the co-simulation need it: in a build without it they
 * return MHO_EUNSUPPORTED and say how to get it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_H
#define MHO_SPICE_H

#include "mho/base.h"
#include "mho/store.h"

/* ---------------------------------------------------------------- session */

/* A circuit in the ngspice library. The library keeps one circuit and its results in static variables, so
 * there is ONE OPEN SESSION A PROCESS at a time, used by one thread at a time. What ngspice prints goes to
 * the session and nowhere else. A run has no time-out, and text that ngspice includes from files is not
 * checked: a netlist of unknown origin belongs into a child process. */
typedef struct mho_spice mho_spice;

/** Open the session.
 *  @return MHO_OK; MHO_EUNSUPPORTED when this build or this machine has no ngspice library; MHO_ESPICE when
 *          another session is open, or when an earlier broken one left the library unusable. */
MHO_API mho_err mho_spice_open(mho_spice **out, mho_errinfo *ei);
/** Close it; nullable. After a broken session this unloads the library, so that the next one starts fresh. */
MHO_API void mho_spice_close(mho_spice *s);

/** Load a netlist in place of the one before, if any.
 *
 *  ngspice keeps about 100 bytes a line of every netlist it ever loaded: change values with mho_spice_alter
 *  rather than by loading again.
 *
 *  The first line is the title; ".end" is added when missing. A .control block is left out: its commands are
 *  for the program, mho_spice_run is for the library.
 *
 *  @param netlist  lines of text; not kept.
 *  @return MHO_OK; MHO_EINVAL for text that is known to crash or spoil the library (no element, unbalanced
 *          brackets, an external source with a value, ...), nothing is loaded then; MHO_ESPICE with ngspice's
 *          own words for what it refuses. Both set the line in ei where it is known. After some of its errors
 *          (an undefined parameter, say) ngspice takes no netlist any more: the message says "the session is
 *          broken", every later call fails in the same way, and close and open mend it. */
MHO_API mho_err mho_spice_load(mho_spice *s, const char *netlist, mho_errinfo *ei);

/** Run one analysis: "op", or "tran STEP STOP ..." with ngspice's arguments. Earlier results are dropped
 * first.
 *  @return MHO_OK; MHO_EINVAL when nothing is loaded or the command is another one; MHO_ESPICE with ngspice's
 *          words when the analysis failed: there are no results then, stale ones are never read. */
MHO_API mho_err mho_spice_run(mho_spice *s, const char *command, mho_errinfo *ei);

/** Number of points of a result: 1 after "op".
 *  @param name  as ngspice names it: "v(out)", "i(vsense)", "@r1[i]"; in either case.
 *  @return as mho_spice_vector. */
MHO_API mho_err mho_spice_vector_length(mho_spice *s, const char *name, int *n, mho_errinfo *ei);
/** A result of the last run, [n], in V, A or s.
 *  @return MHO_OK; MHO_ENOTFOUND; MHO_EINVAL when it has another length than n; MHO_ESPICE without a
 *          successful run since the last load or alter. */
MHO_API mho_err mho_spice_vector(mho_spice *s, const char *name, double *out, int n, mho_errinfo *ei);

/** Change one value of the loaded circuit: device "r1", parameter "resistance" (ohm); a source has "dc" (V or
 *  A), a capacitor "capacitance" (F). Takes microseconds, where a load takes milliseconds. Run again before
 *  reading results.
 *  @return MHO_OK; MHO_EINVAL for a malformed name, a value that is not finite or a resistance of 0 (which
 *          ngspice would silently make 1 mohm); MHO_ENOTFOUND when there is no such device or parameter. */
MHO_API mho_err mho_spice_alter(mho_spice *s, const char *device, const char *param, double value,
                                mho_errinfo *ei);

/* Value (V or A) of a source written as "V1 a 0 external"; asked for in every Newton iteration. `name` is in
 * lower case, t in s (0 in "op"). It must not call the session. */
typedef double (*mho_spice_source)(void *user, const char *name, double t);
/** Who supplies external sources; null: nobody, and a run that has some fails. */
MHO_API void mho_spice_sources(mho_spice *s, mho_spice_source source, void *user);

/** What ngspice said since the last load or run began, one message a line (the oldest are dropped when it is
 *  long). Valid until the next call. */
MHO_API const char *mho_spice_messages(const mho_spice *s);

/* ---------------------------------------------------------------- netlists */

/* One read of a crossbar of linear devices. Word line i and bit line j are joined by G+[i][j] and G-[i][j],
 * the positive and the negative ones in arrays of their own.
 *   forward      word lines w<i> driven by Vin<i>, bit lines p<j> and n<j> sensed at 0 V:
 *                I[j] = sum_i (G+[i][j] - G-[i][j]) V[i]
 *   transposed   bit lines b<j> driven by Vin<j>, word lines p<i> and n<i> sensed at 0 V:
 *                I[i] = sum_j (G+[i][j] - G-[i][j]) V[j]
 * Devices are resistors Rp_<i>_<j>, Rn_<i>_<j>; sensed currents are i(Vp<k>), i(Vn<k>), into ground, positive
 * for positive V.
 *
 * With wires the lines have a node at every device, wp_<i>_<j> and bp_<i>_<j> (wn_, bn_ of the negative
 * array). A segment r_word lies between the left end of a word line and its first device and between
 * neighbouring devices; a segment r_bit between neighbouring devices of a bit line and between the last one
 * and its bottom end; the other ends are open. Either resistance may be 0: those lines are single nodes then.
 * Tiles cut the lines: each has wires of its own from the driver and to the virtual ground, where the tiles'
 * currents add up.
 *
 * Set the members by name: the rest is zero, and zero is a sensible default. */
typedef struct mho_netlist_crossbar {
  int rows, cols;
  const double *g_pos;    /* [rows x cols], S; a 0 is left out of the circuit */
  const double *g_neg;    /* the same; nullable: no negative devices */
  const double *v_in;     /* V: [rows], transposed [cols] */
  bool transposed;        /* drive bit lines, sense word lines */
  double r_word, r_bit;   /* ohm a wire segment; 0: no wires */
  int tile[2];            /* rows and columns of a physical tile; 0: as large as the array */
  bool save_nodes;        /* keep the voltages of all nodes among the results */
  bool control;           /* add the .control block that makes `ngspice -b` run and print it */
  const double *expected; /* nullable; A: [cols], transposed [rows]; written as comments */
  double tolerance;       /* of `expected`, relative to the largest current; written beside it */
  const char *title;      /* nullable */
} mho_netlist_crossbar;

/** The netlist as text. With control it prints "out<k> = I" in A for each output when run by `ngspice -b`.
 *  @param out  the text; free it with mho_free.
 *  @return MHO_OK; MHO_EINVAL for an empty array, a conductance that is negative, not finite or too small to
 *          have a resistance, a voltage that is not finite (with row and column in ei), a negative or
 *          infinite wire resistance; MHO_ENOMEM. */
MHO_API mho_err mho_netlist_crossbar_write(const mho_netlist_crossbar *x, char **out, mho_errinfo *ei);

/** Read a crossbar in ngspice for n input vectors: the netlist is loaded once, then the inputs are changed.
 *
 *  The first .op of an array with wires orders its matrix, which takes 0.1 s at 32 x 32 and 7 s at 64 x 64.
 *
 *  @param x       its v_in, expected and control are not used.
 *  @param v       [n x rows], transposed [n x cols], V.
 *  @param i_out   [n x cols], transposed [n x rows], A.
 *  @param v_word  [n x rows x cols], voltage of the word line at each device of the positive array, V;
 *                 nullable, with v_bit.
 *  @param v_bit   the same of the bit line.
 *  @return as mho_netlist_crossbar_write, mho_spice_load and mho_spice_run. */
MHO_API mho_err mho_spice_crossbar(mho_spice *s, const mho_netlist_crossbar *x, int n, const double *v,
                                   double *i_out, double *v_word, double *v_bit, mho_errinfo *ei);

/* ---------------------------------------------------------------- co-simulation */

#define MHO_PLACE_MAX 64

/** Run the read in ngspice and compare its currents with those of the core.
 *
 *  @param core       A: [cols], transposed [rows].
 *  @param tolerance  on the largest difference, relative to the largest |core| current (to the largest
 * current that is sensed when all of them are 0).
 *  @param place      storage of row->place.
 *  @param row        what, quantity, unit, place of the largest difference, n; max_abs and rms of the
 *                    differences (A), max_rel = max_abs relative as above, pass = max_rel <= tolerance;
 *                    spice_s: seconds of write, load, run and read. core_s is NaN, for the caller to set.
 *  @return MHO_OK when it ran, whether or not it passed; else as mho_netlist_crossbar_write, mho_spice_load
 * and mho_spice_run. */
MHO_API mho_err mho_cosim_crossbar(mho_spice *s, const mho_netlist_crossbar *x, const double *core,
                                   double tolerance, char place[MHO_PLACE_MAX], mho_cosim_row *row,
                                   mho_errinfo *ei);

#endif
