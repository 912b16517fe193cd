"""A study through a real Slurm of one node, started here as root and stopped by the process ids: after the merge the same rows
as a local sweep. Skipped (exit 77) when not root or without slurmctld, slurmd and munged."""
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

TOOLS = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'sinfo']
os.environ['PATH'] += ':/usr/sbin:/sbin'
if os.geteuid() != 0 or not all(shutil.which(t) for t in TOOLS):
    print('skipped: needs root, munge and slurm-wlm')
    sys.exit(77)

from mho import folder, lines, main, run, write  # noqa: E402

place = tempfile.mkdtemp(prefix='mho-slurm-')
started = []


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def start(*words):
    p = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, env={**os.environ, 'SLURM_CONF': conf})
    started.append(p)
    return p


def stop():
    for p in reversed(started):
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(timeout=20)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


host = socket.gethostname().split('.')[0]
conf = os.path.join(place, 'slurm.conf')
munge = {name: os.path.join(place, name) for name in ('munge.key', 'munge.socket', 'munge.log', 'munge.pid', 'munge.seed')}
with open(munge['munge.key'], 'wb') as f:
    f.write(os.urandom(1024))
os.chmod(munge['munge.key'], 0o400)
os.chmod(place, 0o755)
ports = free_port(), free_port()
with open(conf, 'w') as f:
    f.write(f'''ClusterName=mho
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge['munge.socket']}
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/ctld.pid
SlurmdPidFile={place}/d.pid
SlurmctldLogFile={place}/ctld.log
SlurmdLogFile={place}/d.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=2,batch_sched_delay=0
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
''')
for d in ('state', 'spool'):
    os.mkdir(os.path.join(place, d))
os.environ['SLURM_CONF'] = conf

write('grid.yaml', '''
base: {network: {hidden: [12]}, device: linear, update: {scheme: pulses, rate: 0.01}, train: {epochs: 2, batch: 20}}
vary: {array.read_noise: [0.0001, 0.001, 0.01], device.step_up: [0.002, 0.01]}
seeds: 2
''')


def rows(name):
    with sqlite3.connect(os.path.join(folder, name)) as c:
        return c.execute('SELECT config_hash, status, e.epoch, e.test_acc, e.train_acc, e.loss, e.pulses FROM study_run AS s JOIN run '
                         'ON run.id = s.run_id JOIN epoch AS e USING (run_id) ORDER BY 1, 3').fetchall()


def wait_for_node():
    end = time.time() + 60
    while time.time() < end:
        p = subprocess.run(['sinfo', '-h', '-o', '%T'], capture_output=True, text=True)
        if 'idle' in p.stdout:
            return
        time.sleep(0.5)
    tail = subprocess.run(['tail', '-n', '5', f'{place}/ctld.log', f'{place}/d.log'], capture_output=True, text=True).stdout
    raise AssertionError(f'the node is not ready: {p.stdout} {p.stderr} {tail}')


def test_same_rows():
    wait_for_node()
    run('sweep', 'grid.yaml', '--db', 'local.db')
    run('sweep', 'grid.yaml', '--db', 'cluster.db', '--shard', '0/6')  # what is there already is not trained by the job
    done, = lines('sweep', 'grid.yaml', '--db', 'cluster.db', '--launcher', 'slurm', '--tasks', '3', '--wait', '--json')
    assert done['runs'] == 10 and done['tasks'] == 3 and done['merged'] == 10, done
    assert sorted(x for x in os.listdir(done['folder']) if x.endswith('.db')) == [f'shard-{i}.db' for i in range(3)]
    assert rows('cluster.db') == rows('local.db') and len(rows('local.db')) == 24
    again, = lines('sweep', 'grid.yaml', '--db', 'cluster.db', '--launcher', 'slurm', '--json')
    assert again['runs'] == 0 and again['job'] == ''
    before = rows('cluster.db')
    run('db', 'merge', 'cluster.db', *[os.path.join(done['folder'], f'shard-{i}.db') for i in range(3)])
    assert rows('cluster.db') == before


try:
    start('munged', '--foreground', '--force', f"--key-file={munge['munge.key']}", f"--socket={munge['munge.socket']}",
          f"--log-file={munge['munge.log']}", f"--pid-file={munge['munge.pid']}", f"--seed-file={munge['munge.seed']}")
    time.sleep(1)
    start('slurmctld', '-D', '-f', conf)
    time.sleep(1)
    start('slurmd', '-D', '-f', conf)
    main([test_same_rows])
finally:
    stop()
    shutil.rmtree(place, ignore_errors=True)
