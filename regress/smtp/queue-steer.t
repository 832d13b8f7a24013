# Steering the queue by selections: each verb of msactl on a queue of some
# hundred messages, seen by its effect; counting, asking, ids from standard
# input, JSON, and what a kill -9 leaves. Then the examples of msactl(8).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use JSON::PP;
use IO::Socket::UNIX;
use MIME::Base64;
use Test::More;

my $d = Msad->new(start => 0);
my $ann = $d->account(0);
my $bob = $d->account(1);
my $hop = $d->nexthop;
my %dead = map { $_ => $d->nexthop(down => 1) } qw(smart other);
$d->{relay} = join('', map { "relay \"$_\" { host 127.0.0.1 port $dead{$_}{port} " .
    "retry { 1h } }\n" } sort keys %dead) .
    "relay \"backup\" { host 127.0.0.1 port $hop->{port} }\n";
$d->{tables} = "table \"ann\" { \"$ann->{name}\" = \"$ann->{address}\" }\n" .
    "limit session { mails 1000 }\n";
$d->{match} = "match from auth sender <ann> relay \"smart\"\n" .
    "match from auth sender own relay \"other\"\n";
$d->write_conf;
$d->start;

my @json;	# every line of -j, for a strict parser at the end
my %session;

sub json {
	my $r = $d->msactl('-j', @_);
	push @json, grep { length } split(/\n/, $r->{out});
	return $r;
}

sub list {
	my $r = json('queue', 'list', @_);
	is($r->{status}, 0, "queue list @_: exit 0") or diag($r->{err});
	return @{ $r->{json} };
}

# Submit n messages of a user; the ids.
sub submit {
	my ($n, $u, $to, %o) = @_;
	my @id;
	for my $i (1 .. $n) {
		my $c = $session{$u->{name}} //= $d->session($u == $ann ? 0 : 1);
		my $r = $c->submit($u->{address}, $to =~ s/%/$i/r, "From: <$u->{address}>\r\n" .
		    "Subject: $to $i\r\n\r\n" . ('y' x 70 . "\r\n") x ($o{lines} // 1));
		$r->{code} == 250 or diag($r->{text});
		push @id, $r->{id} // '?';
	}
	return @id;
}

sub done_is {
	my ($n, $name, @words) = @_;
	my $r = json(@words);
	is($r->{status}, 0, "$name: exit 0") or diag($r->{err});
	is($r->{json}[0] && $r->{json}[0]{matched}, $n, "$name: $n");
	return $r;
}

my @net = submit(60, $ann, 'net%@example.net');
my @com = submit(60, $ann, 'com%@example.com', lines => 300);
my @org = submit(110, $bob, 'org%@Example.ORG');
is(scalar(grep { /^[0-9a-f]+$/ } @net, @com, @org), 230, 'some hundred messages');
ok(wait_for { $d->log =~ /relay="smart".*refused/ && $d->log =~ /relay="other".*refused/ },
    'both relays were tried');

# --- looking
{
	my ($total, @g) = @{ json('queue', 'summary')->{json} };
	@g = grep { $_->{messages} } @g;
	is($total->{messages}, 230, 'P8 summary: messages');
	is($total->{recipients}, 230, 'recipients');
	cmp_ok($total->{octets}, '>', 60 * 300 * 70, 'octets');
	is(join(' ', map { "$_->{name}=$_->{messages}" } @g), 'smart=120 other=110',
	    'relays, most first');
	ok($g[0]{down} && $g[0]{last} =~ /refused/ && $g[0]{next} > time,
	    'P8 down, why, and when it is tried') or diag(explain($g[0]));
	for my $by (['user', "$ann->{name}=120 $bob->{name}=110"],
	    ['domain', 'example.org=110 '], ['from', "$ann->{address}=120 $bob->{address}=110"],
	    ['tenant', '=230']) {
		(undef, @g) = @{ json('queue', 'summary', $by->[0])->{json} };
		like(join(' ', map { lc($_->{name}) . "=$_->{messages}" } @g) . ' ',
		    qr/\Q$by->[1]\E/i, "by $by->[0]");
		is($g[0]{by}, $by->[0], 'which is said');
	}
	my $text = $d->msactl('queue', 'summary')->{out};
	like($text, qr/^230 messages, 230 recipients, .*; 0 in flight, 0 held, 0 future$/m, 'as text');
	like($text, qr/^ +120 +0 smart: down, next .*: .*refused/m, 'and the relay');

	my @a = @{ json('queue', 'age')->{json} };
	my %a = map { $_->{relay} => $_ } @a;
	is($a{smart}{messages}, 120, 'age: smart');
	is_deeply($a{other}{ages}, [110, (0) x 9], 'age: all are young');
	@a = @{ json('queue', 'age', 'domain', 'example.net')->{json} };
	is_deeply([map { "$_->{relay}=$_->{messages}" } @a], ['smart=60'], 'age of a selection');
	like($d->msactl('queue', 'age')->{out}, qr/^ +T +5 .*\nTOTAL +230 +230 .*\nsmart +120/, 'as a table');
}

for my $t (
    [120, 'user', $ann->{name}], [60, 'domain', 'EXAMPLE.net'], [110, 'domain', 'example.org'],
    [60, 'user', $ann->{name}, 'domain', 'example.net'],
    [0, 'user', $bob->{name}, 'domain', 'example.net'],
    [170, 'domain', 'example.net', 'domain', 'example.org'],
    [120, 'from', $ann->{address}], [230, 'from', '*@example.org'], [0, 'from', '<>'],
    [1, 'to', 'net7@example.net'], [11, 'to', 'net1*@example.net'],
    [110, 'relay', 'other'], [60, 'size', '10k'], [170, 'size', '<10k'],
    [60, 'size', '10k', 'size', '<100k'], [0, 'age', '1h'], [230, 'age', '<1h'],
    [230, 'all'], [230, 'error', 'Connection REFUSED'], [0, 'error', 'no such text'],
    [0, 'state', 'held'], [0, 'state', 'fut'], [230, 'state', 'waiting'],
    [3, $net[0], $com[0], 'id', $org[0]], [1, $net[0], $org[0], 'user', $bob->{name}],
    [60, 'us', $ann->{name}, 'dom', 'example.com'], [0, 'tenant', 'acme'],
) {
	my ($n, @sel) = @$t;
	is(scalar(my @l = list(@sel)), $n, "list @sel: $n");
}
is(scalar(grep { $_->{user} eq $ann->{name} } list('u', $ann->{name})), 120, 'they are hers');
is($d->msactl('q', 'l', 'u', $ann->{name})->{status}, 0, 'cut short');
my $r = $d->msactl('queue', 'list', 'user', 'nobody');
is("$r->{status} $r->{out}", '0 ', 'nothing to list is no failure');

for my $t ([['queue', 'list', 'age', '1y'], qr/"age 1y": an age is/],
    [['queue', 'drop', 'all', 'user', 'x'], qr/all stands alone/],
    [['queue', 'drop'], qr/a word is missing; expected: all - ID user/],
    [['queue', 'list', 'state', 'x'], qr/unknown word: x; expected: waiting/],
    [['queue', 'list', 'use'], qr/a value of user/],
    [['queue', 'list', 'user', "a\xff"], qr/not UTF-8/],
    [['-n', 'queue', 'list'], qr/usage/], [['-y', 'show', 'status'], qr/usage/]) {
	$r = $d->msactl(@{ $t->[0] });
	is($r->{status}, 2, 'exit 2: a wrong selection') or diag(explain($t));
	like($r->{err}, $t->[1], 'and why');
}

# --- counting changes nothing
for my $verb (qw(hold flush expire fail drop)) {
	$r = done_is(60, "-n $verb", '-n', 'queue', $verb, 'domain', 'example.net');
}
# those that would be changed, not those that are selected
is(json('-n', 'queue', 'release', 'all')->{json}[0]{matched}, 0, '-n release: nothing is held');
done_is(110, '-n reroute', '-n', 'queue', 'reroute', 'all', 'to', 'smart');
$r = json('-n', 'queue', 'reroute', 'all', 'to', 'nosuch');
is($r->{status}, 1, '-n reroute to no relay: exit 1');
like($r->{err}, qr/no relay "nosuch"/, 'and why');
is(json('-n', 'queue', 'reroute', 'all', 'to', 'x' x 1024)->{status}, 1, 'nor to a long one');
is(json('queue', 'reroute', 'all', 'to', 'x' x 1024)->{status}, 1, 'and none is rerouted');
like($d->msactl('-n', 'queue', 'drop', 'all')->{out}, qr/^230 messages would be dropped$/, '-n as text');
done_is(120, '-n reroute', '-n', 'queue', 'reroute', 'user', $ann->{name}, 'to', 'backup');
$r = json('-n', 'queue', 'drop', 'user', 'nobody');
is("$r->{status} $r->{json}[0]{matched}", '5 0', '-n of none: exit 5');
is(scalar(my @all = list()), 230, 'nothing is changed');
is(scalar(@all = list('state', 'held')), 0, 'nothing is held');
unlike($d->log, qr/event=steered/, 'nor logged as a change');

# --- hold, release, flush
$r = json('queue', 'release', 'user', $ann->{name});
is($r->{status}, 5, 'release of what is not held: exit 5');
done_is(60, 'hold', 'queue', 'hold', 'domain', 'example.net', 'reason', 'a look');
ok($d->log_wait(qr/event=steered uid=0 verb=hold messages=60 selection="domain example.net"/),
    'who did what is logged');
ok($d->log_wait(qr/event=control-request uid=0 command="queue hold" .*select="domain example.net" reason="a look" status=0 matched=60/),
    'by msad-control too');
is(scalar(my @held = list('state', 'held')), 60, 'they are held');
done_is(60, '-n release', '-n', 'queue', 'release', 'all');
done_is(170, '-n flush: not what is held', '-n', 'queue', 'flush');
is($held[0]{state}, 'held', 'a held one says so');
my ($e) = grep { $_->{event} eq 'held' } @{ json('queue', 'log', $net[0])->{json} };
like($e ? $e->{text} : '', qr/uid=0 .*a look/, 'queue log: held, by whom and why');
like($d->msactl('queue', 'log', $net[0])->{out}, qr/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ accepted .*\n.* held /s,
    'queue log as text');
is(json('queue', 'summary')->{json}[0]{held}, 60, 'summary: held');
$dead{smart}->start;
done_is(60, 'flush', 'queue', 'flush', 'relay', 'smart');
ok(wait_for { $dead{smart}->transactions == 60 }, 'flush: those that wait go');
is(scalar(grep { $_->{rcpts}[0] =~ /example\.net/ } $dead{smart}->transactions), 0,
    'those that are held do not');
# some were tried, which wait for their next try
done_is(10, 'release of some', 'queue', 'release', @net[10 .. 19]);
$r = json('queue', 'flush', @net[0 .. 9]);
is("$r->{status} $r->{err}", "5 msactl: they are held or in flight\n", 'flush of what is held');
is($d->msactl('queue', 'flush')->{status}, 0, 'flush');
ok(wait_for { $dead{smart}->transactions == 70 }, 'they go');
is(scalar(@held = list('state', 'held')), 50, 'the others are held still');
$dead{smart}->stop;
is(scalar(@all = list()), 160, 'in the queue') or diag(scalar @all);

# --- ids from standard input, in batches
sub pipe_ids {
	my ($text, @words) = @_;
	my $in = "$d->{dir}/ids";
	spew($in, $text);
	my $out = `$Msad::BUILD/msactl -s $d->{dir}/msad.sock @words <$in 2>&1`;
	return ($? >> 8, $out);
}
my $ids = join("\n", map { sprintf('7000%06x', $_) } 1 .. 700);
my ($status, $out) = pipe_ids("$ids\n@org[0 .. 9]\t$org[0]\r\n", 'queue', 'hold', '-');
is("$status $out", "0 10 messages held\n", 'ids from standard input: each once');
is(scalar(@held = list('state', 'held')), 60, 'they are held');
($status, $out) = pipe_ids('', 'queue', 'drop', '-', 'user', $bob->{name});
is("$status $out", "5 msactl: no message matches\n", 'no ids, nothing is selected');
($status, $out) = pipe_ids('', 'queue', 'list', '-', 'user', $bob->{name});
is("$status $out", '0 ', 'no ids, an empty list: no failure');
($status, $out) = pipe_ids("@org nonsense", 'queue', 'drop', '-');
is($status, 2, 'what is no id: exit 2');
like($out, qr/not a queue id on standard input: nonsense/, 'and which');
($status, $out) = pipe_ids("$ids @net @com @org", '-j', 'queue', 'list', '-', 'state', 'held');
is("$status " . (() = $out =~ /^\{"id"/mg), '0 60', 'with other terms');
($status, $out) = pipe_ids($ids, '-n', 'queue', 'drop', '-');
is($status, 5, 'none of them is there: exit 5');
done_is(60, 'release all', 'queue', 'release', 'all');
is(scalar(@all = list()), 160, 'all are there');

# --- on a terminal
sub terminal {
	my ($answer, @words) = @_;
	my $cmd = "$Msad::BUILD/msactl -s $d->{dir}/msad.sock @words";
	spew("$d->{dir}/answer", $answer);
	my $out = `script -qec '$cmd' /dev/null <$d->{dir}/answer 2>&1`;
	my $status = $? >> 8;
	return ($status, $out =~ s/\r\n/\n/gr);
}
($status, $out) = terminal("n\n", 'queue', 'hold', 'all');
like($out, qr/160 messages match; hold them\? \[y\/N\] /, 'more than 100: it asks');
is($status, 1, 'no: exit 1');
like($out, qr/nothing was changed/, 'and says so');
($status, $out) = terminal("\n", 'queue', 'drop', 'all');
is($status, 1, 'nothing said is no');
is(scalar(@all = list()), 160, 'nothing is changed');
is(scalar(@held = list('state', 'held')), 0, 'nothing is held');
($status, $out) = terminal("y\n", 'queue', 'hold', 'user', $bob->{name});
is($status, 0, 'yes: exit 0') or diag($out);
like($out, qr/110 messages match; .*110 messages held/s, 'it is done');
($status, $out) = terminal('', '-y', 'queue', 'release', 'user', $bob->{name});
is($status, 0, '-y');
unlike($out, qr/\[y\/N\]/, 'does not ask');
($status, $out) = terminal('', 'queue', 'flush', 'domain', 'example.net');
is($status, 0, '50 messages');
unlike($out, qr/\[y\/N\]/, 'are not asked for');
($status, $out) = terminal('', '-n', 'queue', 'drop', 'all');
like($out, qr/^160 messages would be dropped$/m, '-n does not ask');

# --- drop
done_is(5, 'drop', 'queue', 'drop', @org[0 .. 4]);
done_is(5, 'remove, the same', 'queue', 'remove', @org[5 .. 9]);
is(json('queue', 'show', $org[0])->{status}, 5, 'it is gone');
ok($d->log_wait(qr/q=$org[0] event=removed uid=0/), 'a line for each');
is(scalar(list('from', '<>')), 0, 'nobody is told');
is(scalar(@all = list()), 150, 'the others stay');

# --- fail and expire: reports
done_is(1, 'fail', 'queue', 'fail', $org[10], 'reason', '"address harvested"');
done_is(1, 'expire', 'queue', 'expire', $org[11]);
ok($d->log_wait(qr/q=$org[11] .*event=bounced/), 'they are given up');
my @report;
ok(wait_for { @report = list('from', '<>'); @report == 2 }, 'P4 reports are written');
is($report[0]{rcpts}[0]{to}, $bob->{address}, 'to the sender');
$r = json('queue', 'reroute', 'from', '<>', 'to', 'nosuch');
is($r->{status}, 1, 'reroute to no relay: exit 1');
like($r->{err}, qr/no relay "nosuch"/, 'which is said');
done_is(2, 'reroute', 'queue', 'reroute', 'from', '<>', 'to', 'backup');
my @t;
ok(wait_for { @t = $hop->transactions; @t == 2 }, 'reroute: they go by the other relay');
like($t[0]{data} . $t[-1]{data}, qr/address harvested/, 'with the reason');
like($t[0]{data} . $t[-1]{data}, qr/Action: failed.*org12\@Example\.ORG|org12\@Example\.ORG.*Action: failed/s,
    'and of what expired');
is(json('queue', 'reroute', 'relay', 'backup', 'to', 'backup')->{status}, 5, 'none is there any more');

# --- cat
my $cat = $d->msactl('queue', 'cat', $org[20]);
is($cat->{status}, 0, 'cat');
like($cat->{out}, qr/\AReceived: .*\r\nSubject: org%\@Example\.ORG 21\r\n.*\r\n\r\ny{70}\r\n\z/s, 'all of it');
$r = json('queue', 'cat', $org[20]);
is(decode_base64($r->{json}[0]{message}), $cat->{out}, 'the same octets in JSON');
is($r->{json}[0]{size}, length($cat->{out}), 'and their number');
ok($d->log_wait(qr/event=control-request q=$org[20] uid=0 command="queue cat"/), 'who read it is logged');
{
	my ($big) = submit(1, $bob, 'big%@example.org', lines => 20000);
	my $s = IO::Socket::UNIX->new(Peer => "$d->{dir}/msad.sock");
	print $s "{\"cmd\":\"queue cat\",\"id\":\"$big\"}\n";
	$s->flush;
	is(sysread($s, my $some, 1000), 1000, 'who read a part of it and went away');
	close($s);
	ok($d->log_wait(qr/event=control-request q=$big uid=0 command="queue cat" .*status=1/),
	    'is logged too');
	done_is(1, 'drop it', 'queue', 'drop', $big);
}
$session{$bob->{name}}->cmd("MAIL FROM:<$bob->{address}>");
$session{$bob->{name}}->cmd('RCPT TO:<evil@example.org>');
$session{$bob->{name}}->cmd('DATA');
$session{$bob->{name}}->send("From: <$bob->{address}>\r\nSubject: evil\r\n\r\n\e]0;title\a\e[31m\\\r\n.\r\n");
my ($id) = $session{$bob->{name}}->reply->{text} =~ /queued as ([0-9a-f]+)/;
($status, $out) = terminal('', 'queue', 'cat', $id // '0');
is($status, 0, 'cat on a terminal');
unlike($out, qr/[\e\a\x9b]/, 'control characters are escaped');
like($out, qr/\\x1b\]0;title\\x07\\x1b\[31m\\x5c$/m, 'so') or diag($out);

# --- kill -9 keeps what was done
done_is(20, 'hold', 'queue', 'hold', @org[20 .. 39]);
done_is(20, 'reroute', 'queue', 'reroute', @org[40 .. 59], 'to', 'smart');
is($d->msactl('pause', 'domain', 'example.com', 'for', '1h')->{status}, 0, 'pause domain');
is($d->msactl('pause', 'accept', 'for', '1h')->{status}, 0, 'pause accept');
$r = json('queue', 'rule', 'add', 'reject', 'user', $ann->{name}, 'for', '1h', 'reason', 'no');
is($r->{status}, 0, 'rule add');
my $rule = $r->{json}[0]{number};
like($d->msactl('show', 'status')->{out}, qr/not accepting messages: paused$/m, 'show status: paused');
$_->close for values %session;
%session = ();
$d->kill_all;
$d->start;
is(join(' ', sort map { $_->{id} } list('state', 'held')), join(' ', sort @org[20 .. 39]),
    'P1 after kill -9: what was held is');
is(join(' ', sort map { $_->{id} } list('relay', 'smart', 'user', $bob->{name})),
    join(' ', sort @org[40 .. 59]), 'what was rerouted is');
is(join(' ', sort map { "$_->{what}=$_->{name}" } @{ json('show', 'pauses')->{json} }),
    'accept= domain=example.com', 'what was paused is');
my ($there) = @{ json('queue', 'rule', 'list')->{json} };
is_deeply($there->{select}, ["user $ann->{name}"], 'the rule is');
is("$there->{number} $there->{action} $there->{reason} $there->{uid}", "$rule reject no 0", 'as it was');
ok(json('queue', 'summary')->{json}[0]{paused}, 'summary: paused');
like($d->msactl('queue', 'summary')->{out}, qr/paused: not accepting messages/, 'as text');
is($d->msactl('resume', 'accept')->{status}, 0, 'resume accept');
is($d->msactl('resume', 'domain', 'example.com')->{status}, 0, 'resume domain');
is(json('queue', 'rule', 'remove', 'all')->{json}[0]{matched}, 1, 'rule remove all');
like($d->msactl('show', 'status')->{out}, qr/, accepting messages$/m, 'show status: accepting');

# --- sendmail(8)'s way
symlink("$Msad::BUILD/msactl", "$d->{dir}/mailq");
is($d->msactl('queue', 'drop', 'all')->{status}, 0, 'drop all');
is($d->msactl('queue', 'drop', 'all')->{status}, 0, 'of an empty queue: exit 0');
is(scalar(@all = list()), 0, 'the queue is empty');

# --- the examples of msactl(8), as they stand there
sub refill {
	my @id;
	for my $u ($ann, $bob) {
		my $c = $d->session($u == $ann ? 0 : 1);
		for my $to ('a@example.net', 'a@example.com') {
			for my $lines (1, 200) {
				my $r = $c->submit($u->{address}, $to,
				    "From: <$u->{address}>\r\n\r\n" . ('y' x 70 . "\r\n") x $lines);
				push @id, $r->{id} // '?';
			}
		}
		$c->close;
	}
	return $id[-1];
}
my ($examples) = slurp("$Msad::TOP/msactl/msactl.8") =~ /^\.Sh EXAMPLES\n(.*?)^\.Sh /ms;
my (%verbs, $filled);
my $jq = !system('sh', '-c', 'command -v jq >/dev/null');
$examples =~ s/\|\n +/| /g;
spew("$d->{dir}/msactl", "#!/bin/sh\nexec $Msad::BUILD/msactl -s $d->{dir}/msad.sock \"\$\@\"\n", 0755);
for my $line (split(/\n/, $examples)) {
	$filled = undef if $line =~ /^\.(Bd|Dl)/;
	my ($cmd) = $line =~ /^(?:\.Dl )?# (msactl .*)/ or next;
	$cmd =~ /^msactl (?:-\w )*(?:queue|pause|resume|show pauses)/ or next;
	next if $cmd =~ /release all/ && $filled && !$jq;
	next if $cmd =~ /\bjq\b/ && !$jq;
	$filled //= refill();
	(my $run = $cmd) =~ s/\b1a2b\b/$filled/g;
	$run =~ s/\bann\b/$ann->{name}/g;
	($there) = @{ json('queue', 'rule', 'list')->{json} };
	$run =~ s/rule remove 1\b/"rule remove " . ($there ? $there->{number} : 1)/e;
	my $o = `PATH=$d->{dir}:\$PATH; ($run) 2>&1 </dev/null`;
	my $want = $cmd =~ /jq/ ? qr/^(0|1280)$/ : qr/^0$/;
	like($?, $want, "msactl(8): $cmd") or diag($o);
	$verbs{$1}++ while $cmd =~ /\b(list|age|summary|show|cat|log|hold|release|flush|expire|fail|drop|reroute|rule add|rule list|rule remove|pause|resume|show pauses)\b/g;
}
is(join(' ', grep { !$verbs{$_} } qw(list age summary show cat log hold release flush expire
    fail drop reroute), 'rule add', 'rule list', 'rule remove', qw(pause resume)), '',
    'the manual has an example of each verb');

# --- JSON for a strict parser
spew("$d->{dir}/json", join("\n", @json) . "\n");
$out = `python3 -c '
import json, sys
def no(x): raise ValueError(x)
n = 0
for line in open(sys.argv[1], "rb"):
    line.decode("ascii")
    assert type(json.loads(line, parse_constant=no)) is dict
    n += 1
print(n)' $d->{dir}/json 2>&1`;
is($out, scalar(@json) . "\n", 'each line of JSON is an object, in ASCII');

$d->done;
done_testing;
