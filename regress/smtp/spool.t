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
    extra => "limit session { mails 100000 }\n");
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

$d->stop;
$r = spool('check', '-j', $d->{spool});
is($r->{status}, 0, 'check of one that does not run');
like($r->{lines}[-1], qr/"messages":\s*31,\s*"damaged":\s*0/, 'and what it counts');
$r = spool('dump', '-j', $d->{spool});
is(scalar(grep { /"type":\s*"message"/ && /"to":\s*\["Some.One\@x.example"\]/ &&
    /"user":\s*"$u->{name}"/ } @{ $r->{lines} }), 31, 'dump has all messages');
my ($id) = $r->{lines}[0] =~ /"id":\s*"([0-9a-f]+)"/;
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
