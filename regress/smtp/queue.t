# msactl: its verbs, JSON, exit codes, and who may.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $hop = $d->nexthop(down => 1);
$d->{relay} = "relay \"down\" { host 127.0.0.1 port $hop->{port} retry { 1h } }\n";
$d->{match} = "match from auth sender own relay \"down\"\n";
my $gr = $d->{group} = (getgrgid((getpwnam($u->{name}))[3]))[0];
$d->write_conf;

is($d->msactl('show', 'status')->{status}, 3, 'exit 3: not running');
$d->start;
is($d->msactl('show', 'status')->{status}, 0, 'exit 0: show status');
is($d->msactl('no', 'such')->{status}, 2, 'exit 2: usage');
is($d->msactl('queue', 'show', 'zz')->{status}, 2, 'exit 2: a bad id');
is($d->msactl('queue', 'show', 'ffffffff')->{status}, 5, 'exit 5: no such message');
is($d->msactl('queue', 'remove', 'ffffffff')->{status}, 5, 'exit 5: remove');
is_deeply([$d->queue], [], 'queue list -j of an empty queue');

my $c = $d->session(0);
my @id;
for my $n (1 .. 5) {
	my $r = $c->submit($u->{address}, ["a$n\@x.example", "b$n\@y.example"],
	    "From: <$u->{address}>\r\nSubject: number $n\r\n\r\nx\r\n");
	is($r->{code}, 250, "message $n") or diag($r->{text});
	push @id, $r->{id} // '?';
}
my @q;
ok(wait_for { @q = $d->queue; @q == 5 }, 'queue list has five');
my ($q) = grep { $_->{id} eq $id[0] } @q;
for my $k (qw(id time size user tenant from rcpts)) {
	ok(exists $q->{$k}, "queue list: $k");
}
is($q->{from}, $u->{address}, 'from');
is($q->{user}, $u->{name}, 'user');
cmp_ok($q->{size}, '>', 10, 'size');
cmp_ok(abs(time - $q->{time}), '<', 60, 'time') if ($q->{time} // '') =~ /^\d+$/;
is(join(' ', map { $_->{to} } @{ $q->{rcpts} }), 'a1@x.example b1@y.example', 'rcpts');
for my $k (qw(to state tries next last)) {
	ok(exists $q->{rcpts}[0]{$k}, "rcpts: $k");
}
ok(wait_for { my ($x) = grep { $_->{id} eq $id[0] } $d->queue;
	$x && ($x->{rcpts}[0]{tries} // 0) >= 1 }, 'tried once');
ok(wait_for { 5 == grep { ($_->{rcpts}[1]{last} // '') =~ /refused/ } $d->queue },
    'P8 why they wait, those too that were not tried themselves');
my $show = $d->msactl('-j', 'queue', 'show', $id[0]);
is($show->{status}, 0, 'queue show ID');
is($show->{json}[0]{id}, $id[0], 'queue show: the message') if $show->{json}[0];
like($d->msactl('queue', 'show', $id[0])->{out}, qr/\Q$id[0]\E/, 'queue show as text');
like($d->msactl('queue', 'list')->{out}, qr/\Q$id[4]\E/, 'queue list as text');

is($d->msactl('queue', 'remove', $id[4])->{status}, 0, 'queue remove ID');
is(scalar(my @l = $d->queue), 4, 'it is gone');

my $s = $d->msactl('-j', 'show', 'stats');
is($s->{status}, 0, 'show stats');
is($s->{json}[0]{'queue.messages'}, 4, 'queue.messages');
is($s->{json}[0]{'queue.recipients'}, 8, 'queue.recipients');
is($s->{json}[0]{'smtp.messages.accepted'}, 5, 'smtp.messages.accepted');
is($s->{json}[0]{'smtp.sessions.active'}, 1, 'smtp.sessions.active');
is(scalar(grep { ref || !/^\d+$/ } values %{ $s->{json}[0] }), 0, 'numbers only');

# a restart keeps all
is($d->stop, 0, 'SIGTERM: clean exit with a queue');
$c->close;
$d->start;
is_deeply([sort map { $_->{id} } $d->queue], [sort @id[0 .. 3]],
    'P1 the queue after a restart');

$hop->start;
is($d->msactl('queue', 'flush', $id[0])->{status}, 0, 'queue flush ID');
ok(wait_for { $hop->transactions >= 1 }, 'it is delivered');
is($d->msactl('queue', 'flush', 'all')->{status}, 0, 'queue flush all');
ok(wait_for { $hop->transactions == 4 }, 'all are delivered');
ok(wait_for { !$d->queue }, 'the queue is empty');
is(scalar(grep { @{ $_->{rcpts} } == 2 } $hop->transactions), 4,
    'two recipients each');

# the file of a large message is lost: its sender learns that at once
$hop->stop;
$c = $d->session(0);
my $big = $c->submit($u->{address}, ['big@x.example'],
    "From: <$u->{address}>\r\nSubject: big\r\n\r\n" . ('x' x 70 . "\r\n") x 4000);
is($big->{code}, 250, 'a large message') or diag($big->{text});
$c->close;
ok(wait_for { grep { $_->{rcpts}[0]{tries} } $d->queue }, 'it is tried and waits');
is(unlink(grep { hex(m{([0-9a-f]+)$} ? $1 : 0) == hex($big->{id} // 0) }
    glob("$d->{spool}/*/*")), 1, 'its file goes');
$hop->start;
$d->msactl('queue', 'flush', 'all');
my $dsn;
ok(wait_for { ($dsn) = grep { $_->{from} eq '' } $hop->transactions; $dsn },
    'P4, P-dur-4 a report comes');
like($dsn->{data}, qr/big\@x\.example\r\nAction: failed\r\nStatus: 5\.3\.0\r\n/,
    'it says local trouble') if $dsn;
ok(wait_for { !$d->queue }, 'the message is done with');
like($d->log, qr/event=message-lost/, 'and the log has it');

# log level, reload, monitor
is($d->msactl('log', 'level', 'debug')->{status}, 0, 'log level');
is($d->msactl('log', 'level', 'loud')->{status}, 2, 'log level: a bad word');
is($d->msactl('reload')->{status}, 0, 'reload');
$d->write_conf($d->conf_text . "nonsense 1\n");
my $r = $d->msactl('reload');
is($r->{status}, 1, 'a bad configuration: exit 1');
like($r->{out} . $r->{err}, qr/nonsense/, 'and the reason');
$d->write_conf;

# who may
$d->{msactl_as} = $u->{name};
chmod 0755, $d->{dir};
is($d->msactl('show', 'status')->{status}, 0, 'the group of the socket may');
$d->{msactl_as} = 'nobody';
is($d->msactl('show', 'status')->{status}, 4, 'exit 4: denied');
delete $d->{msactl_as};
is($d->msactl('queue', 'remove', 'all')->{status} =~ /^[05]$/ ? 1 : 0, 1, 'remove all');

$d->done;
done_testing;
