#!/usr/bin/perl
# A spool seen from outside (msad-spool(5)): msactl spool check and dump, while
# msad runs and when it does not; a start by digests and without them; damage is
# told with its place.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $port = free_port();		# nobody is there
my $d = Msad->new(relay => qq{relay "hop" { host 127.0.0.1 port $port retry { 1h } }\n},
    match => qq{match from auth sender own relay "hop"\n},
    extra => "limit session { mails 100000 }\nlimit default { messages 1000/hour }\n");
my $u = $d->account(0);
my $serial = 0;

sub mail {
	my ($n, $size) = @_;
	my $c = $d->session(0);
	for (1 .. $n) {
		my $r = $c->submit($u->{address}, 'Some.One@x.example',
		    "From: <$u->{address}>\r\nSubject: " . ++$serial . "\r\n\r\n" .
		    ('x' x 70 . "\r\n") x ($size / 72));
		is($r->{code}, 250, "message $serial") or diag($r->{text});
	}
	$c->close;
}

sub spool {
	my ($verb, @args) = @_;
	my $pid = open(my $f, '-|', "$Msad::BUILD/msactl", 'spool', $verb, @args) // die;
	my @lines = <$f>;
	close($f);
	return { status => $? >> 8, lines => \@lines };
}

mail(30, 100_000);
mail(1, 300_000);
is($d->msactl('-j', 'show', 'stats')->{json}[0]{'queue.messages'}, 31, 'all are queued');
my $r = spool('check', $d->{spool});
is($r->{status}, 0, 'check of a running spool');
like($r->{lines}[-1], qr/ 31 messages, 0 damaged$/, 'and what it counts');

# What is of no message: counts of limits, what operators did.
my $dump;
ok(&wait_for(sub {
	$dump = join('', @{ spool('dump', $d->{spool})->{lines} });
	return $dump =~ / used=31 /;
}), 'a count of a limit') or diag($dump =~ /^(.* type=state .*)$/mg);
my ($text) = $dump =~ /^segment=\S+ offset=\d+ type=state id=1000 key=\d+ state=limit (.*used=31 .*)$/m;
like($text, qr/^limit=messages tenant=\S* user=\Q$u->{name}\E\S* used=31 of=1000 period=3600 time=\d{10}$/,
    'and what it says');
my ($some) = $dump =~ / type=message id=([0-9a-f]+)/;
is($d->msactl('queue', 'hold', $some)->{status}, 0, 'one is held');
$dump = join('', @{ spool('dump', $d->{spool}, $some)->{lines} });
like($dump, qr/ type=state id=$some key=4294967295 state=held$/m, 'which is a state of all of it');
is($d->msactl('queue', 'release', $some)->{status}, 0, 'and released');
$dump = join('', @{ spool('dump', '-j', $d->{spool}, $some)->{lines} });
like($dump, qr/"state":\s*"(released|steered)"/, 'another one');
is($d->msactl(qw(pause domain paused.example for 1h))->{status}, 0, 'a domain is paused');
is($d->msactl(qw(queue rule add reject user nobody for 1h reason Why))->{status}, 0, 'a rule is made');
$dump = join('', @{ spool('dump', $d->{spool})->{lines} });
like($dump, qr/ id=2000 key=0 state=pause what=domain name=paused.example uid=0 since=\d{10} until=\d{10}$/m,
    'a pause');
like($dump, qr/ id=2001 key=0 state=rule number=1 action=reject uid=0 since=\d{10} until=\d{10} reason=Why selection="?user nobody"?$/m,
    'a rule') or diag($dump =~ /^(.* state=rule .*)$/m);
is($d->msactl('resume', 'domain', 'paused.example')->{status}, 0, 'resumed');
like(join('', @{ spool('dump', $d->{spool})->{lines} }), qr/ id=2000 key=0 state=none$/m, 'and taken back');
unlike($dump . join('', @{ spool('dump', $d->{spool})->{lines} }), qr/ id=1000 .* tries=/,
    'no register is a recipient');

$d->stop;
$r = spool('check', '-j', $d->{spool});
is($r->{status}, 0, 'check of one that does not run');
like($r->{lines}[-1], qr/"messages":\s*31,\s*"damaged":\s*0/, 'and what it counts');
$r = spool('dump', '-j', $d->{spool});
is(scalar(grep { /"type":\s*"message"/ && /"to":\s*\["Some.One\@x.example"\]/ &&
    /"user":\s*"$u->{name}"/ } @{ $r->{lines} }), 31, 'dump has all messages');
# The counts of a limit may have been written before the first of them.
my ($first) = grep { /"type":\s*"message"/ } @{ $r->{lines} };
my ($id) = $first =~ /"id":\s*"([0-9a-f]+)"/;
$r = spool('dump', $d->{spool}, $id);
like($r->{lines}[0], qr/^segment=[0-9a-f]{16} offset=\d+ type=message id=$id /, 'dump of one');
is(spool('dump', $d->{spool}, 'ffffffff')->{status}, 5, 'dump of none');
is(spool('check', "$d->{dir}/nothing")->{status}, 1, 'check of no spool');

my @digests = glob("$d->{spool}/log/digest-*");
$d->start;
@digests = glob("$d->{spool}/log/digest-*") unless @digests;
ok(@digests > 0, 'full segments have digests');
is($d->msactl('-j', 'show', 'stats')->{json}[0]{'queue.messages'}, 31, 'a start by them');
$d->stop;
unlink(glob("$d->{spool}/log/digest-*"));
$d->start;
is($d->msactl('-j', 'show', 'stats')->{json}[0]{'queue.messages'}, 31, 'and without');
ok(scalar(glob("$d->{spool}/log/digest-*")), 'which makes them again');
$d->stop;

# An octet in the middle of the first message's text, and a body file.
my ($segment, $offset) = spool('dump', $d->{spool}, $id)->{lines}[0] =~
    /^segment=(\S+) offset=(\d+)/;
my ($body) = glob("$d->{spool}/bodies/*");
for ([ "$d->{spool}/log/$segment", $offset + 50_000 ], [ $body, 1000 ]) {
	open(my $f, '+<', $_->[0]) or die "$_->[0]: $!";
	seek($f, $_->[1], 0);
	print $f 'Z';
	close($f);
}
$r = spool('check', $d->{spool});
is($r->{status}, 1, 'damage is an exit status of 1');
like(join('', @{ $r->{lines} }), qr{^log/$segment:$offset: record damaged}m,
    'the record is told with its place');
my ($name) = $body =~ m{([^/]+)$};
like(join('', @{ $r->{lines} }), qr{^bodies/$name:0: body damaged$}m, 'and the body');
like($r->{lines}[-1], qr/ 30 messages, [1-9]\d* damaged$/, 'the rest is counted');
$d->done;
done_testing;
