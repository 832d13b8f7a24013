# Reports that cannot be delivered themselves, and reports that are too many: who
# gets them, that each chain ends, that nothing is lost.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Msad::Report;
use Test::More;

my $d = Msad->new(start => 0);
my $u = $d->account(0);
# takes nothing for bad*, me*, post*; all else it does
my $refuse = $d->nexthop(ehlo => ['DSN'], on => { RCPT => sub {
	$_[0] =~ /<(?:bad|me|post)/ ? '550 5.1.1 no such user' : undef } });
my $takes = $d->nexthop(on => { RCPT => sub { $_[0] =~ /<bad/ ? '550 5.1.1 no such user' : undef } });
$d->{relay} = "relay \"refuse\" { host \"127.0.0.1\" port $refuse->{port} retry { 1s } }\n" .
    "relay \"takes\" { host \"127.0.0.1\" port $takes->{port} retry { 1s } }\n";
$d->{match} = "match from auth sender <t-refuse> relay \"refuse\"\n" .
    "match from auth sender <t-takes> relay \"takes\"\n";

sub configure {
	$d->{tables} = join('', map { "table \"t-$_\" { \"$u->{name}\" = \"\@$_.example\" }\n" }
	    qw(refuse takes)) . join('', map { "$_\n" } @_);
	$d->write_conf;
}

sub reload {
	configure(@_);
	my $n = () = $d->log =~ /event=reloaded/g;
	$d->reload;
	ok(wait_for { $n < (() = $d->log =~ /event=reloaded/g) }, "reload: @_");
}

configure();
$d->start;
my $c = $d->session(0);

sub submit {
	my ($from, @rcpts) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($c->cmd("MAIL FROM:<$from>")->{code}, 250, "MAIL FROM:<$from>");
	for my $t (@rcpts) {
		my ($to, $p) = ref $t ? @$t : ($t, '');
		is($c->cmd("RCPT TO:<$to>$p")->{code}, 250, "RCPT $to$p");
	}
	$c->cmd('DATA');
	my $r = $c->cmd("From: <$from>\r\nSubject: hello there\r\n\r\nbody\r\n.");
	is($r->{code}, 250, 'accepted') or diag($r->{text});
	return $r->{text} =~ /as ([0-9a-f]+)/ ? $1 : 'none';
}

sub entry { my ($id) = @_; my ($m) = grep { $_->{id} eq $id } $d->queue; return $m }

sub empty { ok((wait_for { !$d->queue }), "$_[0]: the queue is empty") }

# RCPT commands that a next hop has seen for this address.
sub asked {
	my ($hop, $to) = @_;
	return scalar(() = slurp("$hop->{record}.commands") =~ /^RCPT TO:<\Q$to\E>/mg);
}

# The queue id of the report about that one.
sub report_about {
	my ($id, $event) = @_;
	my ($l) = $d->log_wait(qr/q=[0-9a-f]+ event=$event about=$id /) or return 'none';
	return $d->log =~ /q=([0-9a-f]+) event=$event about=$id / ? $1 : 'none';
}

subtest 'nobody gets it, as long as nobody is named' => sub {
	my $id = submit('me@refuse.example', 'bad@x.example');
	my $dsn = report_about($id, 'report');
	ok($d->log_wait(qr/q=$dsn event=report-dropped .*to="me\@refuse.example".* mech="dsn"/),
	    'a line in the log says that the report was dropped');
	empty('dropped');
	unlike($d->log, qr/event=double-bounce/, 'nothing more comes of it');
};

subtest 'a message to oneself that bounces' => sub {
	my $before = asked($refuse, 'me@refuse.example');
	my $id = submit('me@refuse.example', 'me@refuse.example');
	my $dsn = report_about($id, 'report');
	ok($d->log_wait(qr/q=$dsn event=report-dropped/), 'its report cannot be delivered either');
	empty('it ends');
	is(asked($refuse, 'me@refuse.example') - $before, 2, 'the message, one report, then silence');
	is(scalar(() = $d->log =~ /event=report about=(?:$id|$dsn) /g), 1, 'exactly one report');
};

subtest 'the postmaster gets it' => sub {
	reload('bounce { postmaster "root@box.example", relay "box" }');
	my $id = submit('me@refuse.example', 'bad@x.example');
	my $dsn = report_about($id, 'report');
	my $double = report_about($dsn, 'double-bounce');
	my ($mail) = $d->mails_wait(1, qr/queue id $dsn /);
	ok($mail, 'it arrived') or return;
	like($mail, qr/^Return-Path: <>$/m, 'with the null sender');
	my $m = Msad::Report::parse($mail);
	is($m->{to}, 'root@box.example', 'to the postmaster');
	is($m->{subject}, 'Report that could not be delivered', 'Subject');
	like($m->{text}, qr/A message without a sender could not be delivered/, 'in words');
	is($m->{rcpts}[0]{'final-recipient'}, 'rfc822; me@refuse.example', 'whom it did not reach');
	is(scalar @{ $m->{defects} }, 0, 'no defects');
	is($m->{parts}[2], 'message/rfc822', 'with the whole report');
	like($m->{third}, qr/Final-Recipient: rfc822; bad\@x\.example/, 'that names the first failure');
	empty('delivered');
	is(scalar(grep { /queue id $dsn / } $d->mails), 1, 'once');
	like($d->log, qr/q=$double event=delivered .*user="root\@box.example" tenant=""/,
	    'it is the postmaster\'s, of no tenant');
};

subtest 'who asked for none gets none' => sub {
	my $n = () = $d->log =~ /event=(?:report|double-bounce) /g;
	my $id = submit('me@refuse.example', ['bad@x.example', ' NOTIFY=NEVER']);
	ok($d->log_wait(qr/q=$id event=bounced .*dsn=none/), 'R3461-5.2.6-a NOTIFY=NEVER');
	empty('nothing');
	is(scalar(() = $d->log =~ /event=(?:report|double-bounce) /g), $n, 'no report to anyone');
};

subtest 'the postmaster cannot be reached either' => sub {
	reload('bounce { postmaster "post@refuse.example", relay "refuse" }');
	my $id = submit('me@refuse.example', 'bad@x.example');
	my $double = report_about(report_about($id, 'report'), 'double-bounce');
	ok($d->log_wait(qr/q=$double event=report-dropped .*to="post\@refuse.example".* mech="double-bounce"/),
	    'that ends with a line in the log');
	empty('it never loops');
	is(asked($refuse, 'post@refuse.example'), 1, 'one attempt');
};

subtest 'too many reports' => sub {
	reload('bounce { reports 2/hour }');
	my @id = map { submit('me@takes.example', "bad$_\@x.example") } 1 .. 4;
	ok($d->log_wait(qr/(?:event=bounced .*){2}/s) && $d->log_wait(qr/(?:event=report-waits .*){2}/s),
	    'two are reported, two wait');
	# whose results come first
	my %waits = map { $_ => 1 } $d->log =~ /q=(\w+) event=report-waits/g;
	@id = sort { ($waits{$a} // 0) <=> ($waits{$b} // 0) } @id;
	for my $id (@id[0, 1]) {
		ok((wait_for { grep { $_->{from} eq '' && $_->{data} =~ /queue id $id / }
		    $takes->transactions }), "a report about $id");
	}
	for my $id (@id[2, 3]) {
		ok($d->log_wait(qr/q=$id event=report-waits .*to="me\@takes.example" seconds=\d{4}$/m),
		    "the one about $id waits, and the log says so");
		my $m = entry($id);
		is($m->{rcpts}[0]{state}, 'failed', 'its recipient has failed');
		like($m->{rcpts}[0]{last}, qr/^the report to the sender waits: 550 5\.1\.1 no such user/,
		    'and the queue says so');
	}
	is(scalar(grep { $_->{from} eq '' } $takes->transactions), 2, 'no more than that');
	$d->kill_all;
	$d->start;
	for my $id (@id[2, 3]) {
		ok((wait_for { grep { $_->{from} eq '' && $_->{data} =~ /queue id $id / }
		    $takes->transactions }, 30), "after a crash and a new count: the report about $id");
	}
	empty('nothing is lost');
	is(asked($takes, "bad$_\@x.example"), 1, "bad$_ is not tried again") for 1 .. 4;
	is(scalar(grep { $_->{from} eq '' } $takes->transactions), 4, 'one report each');
	$c = $d->session(0);
	my $id = submit('me@takes.example', 'bad5@x.example');
	ok($d->log_wait(qr/q=$id event=report-waits/), 'the next one waits');
	reload('bounce { reports off }');
	ok((wait_for { !entry($id) }), 'until another rate is said');
};

subtest 'no more reports than the user may send messages' => sub {
	my $n = () = $d->log =~ /event=report-waits/g;
	reload('bounce { reports off }', 'limit user { messages 3/hour }');
	submit('me@takes.example', 'bad6@x.example') for 1 .. 3;
	is($c->cmd('MAIL FROM:<me@takes.example>')->{code}, 450, 'the limit is reached');
	empty('all are reported');
	is(scalar(() = $d->log =~ /event=report-waits/g), $n, 'and none of them waited');
};

$d->done;
done_testing;
