-- Ten questions of a design study, for the study 'noise' of the README: put another name in its place.
-- Run one with: mho query "SELECT ..." (--csv, --json). tests/cli/schema.py runs every one of them.

-- 1. What does each device reach with each programming scheme, and how far do seeds and settings spread?
SELECT device, scheme, count(*) AS runs, round(100 * avg(test_acc), 2) AS mean, round(100 * max(test_acc), 2) AS best,
       round(100 * sqrt(max(0, avg(test_acc * test_acc) - avg(test_acc) * avg(test_acc)) * count(*) / nullif(count(*) - 1, 0)), 2) AS std
FROM v_run WHERE status = 'completed' GROUP BY device, scheme ORDER BY mean DESC;

-- 2. Which settings are within one point of the best, and which of these needs the least energy?
SELECT run_id, read_noise, round(100 * test_acc_mean, 2) AS mean, n, energy_j_mean FROM v_study
WHERE study = 'noise' AND test_acc_mean > (SELECT max(test_acc_mean) - 0.01 FROM v_study WHERE study = 'noise')
ORDER BY energy_j_mean;

-- 3. A table of two keys: read noise down, steps of the device across (a column for each of its values).
SELECT read_noise, round(100 * avg(test_acc) FILTER (WHERE step = 0.002), 2) AS fine,
       round(100 * avg(test_acc) FILTER (WHERE step = 0.02), 2) AS coarse
FROM (SELECT read_noise, test_acc, json_extract(config, '$.device.step_up') AS step FROM v_run JOIN study_run ON run_id = id
      WHERE study = 'noise' AND status = 'completed')
GROUP BY read_noise ORDER BY read_noise;

-- 4. How much noise can I live with: the noisiest setting that loses less than two points against the quietest?
SELECT max(read_noise) AS noise FROM (SELECT read_noise, avg(test_acc_mean) AS mean FROM v_study WHERE study = 'noise' GROUP BY read_noise)
WHERE mean > (SELECT avg(test_acc_mean) - 0.02 FROM v_study WHERE study = 'noise'
              AND read_noise = (SELECT min(read_noise) FROM v_study WHERE study = 'noise'));

-- 5. How many epochs, pulses and joules does it take to reach 70 % for the first time?
WITH running AS (SELECT run_id, epoch, test_acc, sum(pulses) OVER w AS pulses, sum(energy_j) OVER w AS joule FROM epoch
                 WINDOW w AS (PARTITION BY run_id ORDER BY epoch)),
     reached AS (SELECT run_id, min(epoch) AS first FROM epoch WHERE test_acc >= 0.7 GROUP BY run_id)
SELECT name, first AS epochs, running.pulses, joule FROM reached JOIN running ON running.run_id = reached.run_id AND epoch = first
JOIN run ON run.id = reached.run_id ORDER BY joule;

-- 6. Which crossbar runs into its bounds first: the first epoch with more than 0.1 % of its cells there?
SELECT run.name, l.name AS crossbar, min(epoch) AS epoch, round(100 * max(saturated), 2) AS "most %" FROM layer_epoch AS l JOIN run ON run.id = run_id
WHERE saturated > 0.001 GROUP BY run_id, l.name ORDER BY epoch, "most %" DESC;

-- 7. Where does the energy go?
SELECT term, sum(joule) AS joule, round(100 * sum(joule) / (SELECT sum(joule) FROM energy_epoch), 1) AS "%" FROM energy_epoch
GROUP BY term ORDER BY joule DESC;

-- 8. Which runs stand out from the other seeds of their grid point (by more than 0.7 standard deviations)?
SELECT r.id, r.name, round(100 * r.final_test_acc, 2) AS test, round(100 * v.test_acc_mean, 2) AS mean, round(100 * v.test_acc_std, 2) AS std
FROM run AS r JOIN v_study AS v USING (point_hash) WHERE v.study = 'noise' AND abs(r.final_test_acc - v.test_acc_mean) > v.test_acc_std * 0.7
ORDER BY abs(r.final_test_acc - v.test_acc_mean) DESC;

-- 9. In what do two runs differ? (Every key of the config, by its path.)
WITH pair AS (SELECT min(id) AS a, max(id) AS b FROM run JOIN study_run ON run_id = id WHERE study = 'noise')
SELECT x.fullkey AS key, x.atom AS first, y.atom AS second FROM pair, run AS a ON a.id = pair.a, run AS b ON b.id = pair.b,
json_tree(a.config) AS x, json_tree(b.config) AS y ON y.fullkey = x.fullkey WHERE x.atom IS NOT y.atom;

-- 10. How do conductances drift apart while training: their mean and spread in every crossbar, first and last epoch?
SELECT device, l.name AS crossbar, epoch, count(*) AS runs, round(1e6 * avg(g_mean), 2) AS "mean uS", round(1e6 * avg(g_std), 2) AS "std uS"
FROM layer_epoch AS l JOIN run ON run.id = run_id WHERE g_mean IS NOT NULL AND (epoch = 1 OR epoch = epochs_done)
GROUP BY device, l.name, epoch ORDER BY device, l.layer, epoch;
