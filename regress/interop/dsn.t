# Reports of every kind, read by Python's email package and taken by a real
# Postfix, which delivers them into a mailbox: failed, delayed, relayed,
# delivered, late, double bounces and those of SMTPUTF8. Where Postfix lists DSN,
# its own reports come back and name what we passed on. NOTIFY=NEVER yields none;
# a message to oneself that bounces ends.
#
# Debian packages: postfix sasl2-bin libsasl2-modules libsasl2-modules-db
# python3 openssl libio-socket-ssl-perl
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../smtp", $FindBin::Bin;
use Msad;
use Msad::Report;
use Postfix;
use Test::More;

if (my $why = Postfix::missing()) {
	plan(skip_all => $why);
}
my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $dir = $d->{dir};
my $p = Postfix->new(dir => $dir, users => { 'relay' => 'pass phrase' },
    more => { lacks => 'less' });
push @{ $d->{nexthops} }, $p;
spew("$dir/secrets", "isp: relay pass phrase\n", 0600);

# relay => [listener of Postfix, more options]
my %relay = (lists => ['starttls', ''], lacks => ['lacks', ''],
    slow => ['starttls', ' warn 1s'], refuse => ['starttls', '']);
my ($relays, $matches, $table) = ('', '', '');
for my $r (sort keys %relay) {
	my ($listener, $options) = @{ $relay{$r} };
	$relays .= "relay \"$r\" { host \"localhost\" port $p->{port}{$listener} starttls " .
	    "verify ca \"$dir/ca.pem\" auth <secrets> \"isp\" retry { 1s }$options }\n";
	$table .= "table \"t-$r\" { \"$u->{name}\" = \"\@$r.example\" }\n";
	$matches .= "match from auth sender <t-$r> relay \"$r\"\n";
}
$matches .= "match from auth sender { own, <t-box> } relay \"box\"\n";
$table .= "table \"t-box\" { \"$u->{name}\" = \"\@box.example\" }\n";
$d->{relay} = $relays;
$d->{tables} = "${table}table secrets file:\"$dir/secrets\"\n" .
    "bounce { postmaster \"root\@post.example\", relay \"lists\" }\n";
$d->{match} = $matches;
$d->write_conf;
$d->start;

my $c = $d->session(0);
my $serial = 0;

# From, parameters, [recipient, parameters] or recipients; the queue id.
sub submit {
	my ($from, $params, @rcpts) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $r = $c->cmd("MAIL FROM:<$from>$params");
	is($r->{code}, 250, "MAIL$params") or diag($r->{text});
	for my $t (@rcpts) {
		my ($to, $x) = ref $t ? @$t : ($t, '');
		is($c->cmd("RCPT TO:<$to>$x")->{code}, 250, "RCPT$x");
	}
	$c->cmd('DATA');
	$r = $c->cmd("From: <$from>\r\nSubject: number " . ++$serial . "\r\n\r\nbody\r\n.");
	is($r->{code}, 250, 'accepted') or diag($r->{text});
	return $r->{text} =~ /as ([0-9a-f]+)/ ? $1 : 'none';
}

# What Postfix delivered to that address and matches.
sub delivered_to {
	my ($to, $re) = @_;
	$p->mails('');
	return grep { /^Delivered-To: \Q$to\E$/m && $_ =~ $re } map { @$_ } values %{ $p->{box} };
}

sub report {
	my ($to, $id) = @_;
	my $mail;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_for { ($mail) = delivered_to($to, qr/queue id $id /); $mail };
	ok($mail, "a report about $id in the mailbox") or return Msad::Report::parse('');
	like($mail, qr/^Return-Path: <>$/m, 'R3461-6.1-a from the null sender');
	my $m = Msad::Report::parse($mail);
	is($m->{type} . ' ' . ($m->{report} // ''), 'multipart/report delivery-status',
	    'R6522-3-a multipart/report');
	is(scalar @{ $m->{parts} }, 3, 'R6522-3-a three parts');
	is_deeply($m->{defects}, [], 'Python finds nothing wrong with it');
	is($m->{auto}, 'auto-replied', 'Auto-Submitted');
	like($m->{per}{'reporting-mta'}, qr/^dns; ?mail\.example\.org$/, 'R3464-2.2-a Reporting-MTA');
	return $m;
}

sub finished {
	my ($id) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok((wait_for { !grep { $_->{id} eq $id } $d->queue }), "$id is done");
}

sub actions {
	my ($m) = @_;
	return join(', ', sort map { "$_->{'final-recipient'} $_->{action} $_->{status}" }
	    @{ $m->{rcpts} });
}

subtest 'failed' => sub {
	my $id = submit('me@lists.example', ' ENVID=e+2B1', 'rejected@a.example', 'rejected@b.example',
	    ['rejected@c.example', ' NOTIFY=NEVER'], 'fine@a.example');
	my $m = report('me@lists.example', $id);
	is(actions($m), 'rfc822; rejected@a.example failed 5.1.1, rfc822; rejected@b.example failed 5.1.1',
	    'R3461-5.2.6-a several failed recipients in one report');
	is($m->{per}{'original-envelope-id'}, 'e+1', 'R3464-2.2-a Original-Envelope-Id');
	is($m->{rcpts}[0]{'remote-mta'}, 'dns; localhost', 'R3464-2.3.5-a Remote-MTA');
	like($m->{rcpts}[0]{'diagnostic-code'}, qr/^smtp; 550 5\.1\.1 .*no such person here/,
	    'R3464-2.3.5-a what Postfix said');
	like($m->{text}, qr/^Your message could not be delivered to some of its recipients\.\n\n  Subject: number \d+\n/,
	    'the first lines say what happened to which message');
	like($m->{text}, qr/<rejected\@a\.example>\n    There is no such mailbox\..*\n    localhost said: 550 .*no such/,
	    'to whom, what it means, and the words of the other host');
	finished($id);
	is(scalar(delivered_to('me@lists.example', qr/queue id $id /)), 1, 'R3461-5.2.8-a one');
	is(scalar(delivered_to('fine@a.example', qr/^Subject: number $serial$/m)), 1, 'the other one has it');
};

subtest 'delayed' => sub {
	my $id = submit('me@slow.example', '', 'later@a.example', ['later@b.example', ' NOTIFY=FAILURE']);
	my $m = report('me@slow.example', $id);
	is(actions($m), 'rfc822; later@a.example delayed 4.2.1', 'R3461-5.2.5-a delayed');
	ok($m->{rcpts}[0]{'will-retry-until'}, 'R3464-2.3.9-a Will-Retry-Until');
	like($m->{text}, qr/^Your message is delayed\.\n.*You need not send it again/s, 'in words');
	$d->msactl('queue', 'drop', $id);
};

subtest 'relayed' => sub {
	my $id = submit('me@lacks.example', '', ['fine@r.example', ' NOTIFY=SUCCESS ORCPT=rfc822;O+2B@y.example']);
	my $m = report('me@lacks.example', $id);
	is(actions($m), 'rfc822; fine@r.example relayed 2.0.0', 'R3461-5.2.2-a relayed');
	is($m->{rcpts}[0]{'original-recipient'}, 'rfc822; O+@y.example', 'R3464-2.3-a Original-Recipient');
	like($m->{text}, qr/^Your message was sent on\.\n/, 'in words');
};

subtest 'delivered, by ourselves' => sub {
	my $id = submit('me@box.example', '', ['fine@d.example', ' NOTIFY=SUCCESS']);
	my ($mail) = $d->mails_wait(1, qr/queue id $id /);
	my $m = Msad::Report::parse($mail);
	like(actions($m), qr/^rfc822; fine\@d.example delivered 2\.0\.0$/, 'R3461-5.2.3-a delivered');
	is_deeply($m->{defects}, [], 'Python finds nothing wrong with it');
};

subtest 'by when' => sub {
	my $id = submit('me@lists.example', ' BY=500;R', 'fine@a.example');
	my $m = report('me@lists.example', $id);
	is(actions($m), 'rfc822; fine@a.example failed 5.3.3', 'R2852-4.1.4.1-a Postfix lists no DELIVERBY');
	ok($m->{per}{'deliver-by-date'}, 'R2852-4.1.4-a Deliver-By-Date');
	$id = submit('me@lists.example', ' BY=1;N', 'later@a.example');
	$m = report('me@lists.example', $id);
	is(actions($m), 'rfc822; later@a.example delayed 4.4.7', 'R2852-4.1.3-a late');
	$d->msactl('queue', 'drop', $id);
};

subtest 'SMTPUTF8' => sub {
	my $me = "j\xc3\xbcrgen\@lists.example";
	my $id = submit($me, ' SMTPUTF8 RET=FULL', "rejected\@b\xc3\xbccher.example");
	my $mail;
	wait_for { ($mail) = delivered_to($me, qr/queue id $id /); $mail };
	my $m = Msad::Report::parse($mail);
	is("@{ $m->{parts} }", 'text/plain message/global-delivery-status message/global',
	    'R6533-4-a the types of RFC 6533');
	is($m->{rcpts}[0]{'final-recipient'}, "utf-8; rejected\@b\x{fc}cher.example", 'R6533-3-a in UTF-8');
	is($m->{rcpts}[0]{action}, 'failed', 'failed');
	is_deeply($m->{defects}, [], 'Python finds nothing wrong with it');
};

subtest 'double bounce' => sub {
	my $id = submit('rejected@refuse.example', '', 'rejected@a.example');
	ok($d->log_wait(qr/event=report about=$id /), 'a report') or return;
	my ($dsn) = $d->log =~ /q=(\w+) event=report about=$id /;
	my $m = report('root@post.example', $dsn);
	is(actions($m), 'rfc822; rejected@refuse.example failed 5.1.1', 'whom the report did not reach');
	like($m->{third}, qr/Final-Recipient: rfc822; rejected\@a\.example/, 'with the report');
	finished($dsn);
	is(scalar(delivered_to('root@post.example', qr/queue id $dsn /)), 1, 'once');
};

subtest 'a message to oneself that bounces' => sub {
	my $rejects = sub { scalar(() = $p->log =~ /reject: RCPT from .*<rejected\@self\.refuse/g) };
	$d->{tables} =~ s/^bounce.*\n//m;
	$d->{tables} =~ s/"\@refuse.example"/"\@self.refuse.example"/;
	$d->write_conf;
	$d->reload;
	ok($d->log_wait(qr/event=reloaded generation=2/), 'no postmaster any more');
	my $id = submit('rejected@self.refuse.example', '', 'rejected@self.refuse.example');
	ok($d->log_wait(qr/event=report about=$id /), 'exactly one report');
	my ($dsn) = $d->log =~ /q=(\w+) event=report about=$id /;
	ok($d->log_wait(qr/q=$dsn event=report-dropped/), 'then silence');
	finished($dsn);
	is($rejects->(), 2, 'Postfix was asked twice: for the message, for its report');
	is(scalar(() = $d->log =~ /event=(?:report|double-bounce) about=(?:$id|$dsn) /g), 1, 'and no more');
};

subtest 'NOTIFY=NEVER' => sub {
	my $before = () = $d->log =~ /event=report about=/g;
	for my $relay (qw(lists lacks)) {
		my $id = submit("never\@$relay.example", '', ['rejected@a.example', ' NOTIFY=NEVER'],
		    ['fine@n.example', ' NOTIFY=NEVER']);
		finished($id);
	}
	is(scalar(() = $d->log =~ /event=report about=/g), $before, 'R3461-5.2.6-a no report of ours');
	is(scalar(map { delivered_to("never\@$_.example", qr/./) } qw(lists lacks)), 0, 'nor of Postfix');
};

subtest 'a report of Postfix about a message of ours' => sub {
	my $id = submit('me@lists.example', ' ENVID=Ours+2B7 RET=HDRS',
	    ['fine@s.example', ' NOTIFY=SUCCESS ORCPT=rfc822;Some+2BOne@z.example']);
	my $mail;
	wait_for { ($mail) = delivered_to('me@lists.example', qr/^Original-Envelope-Id: Ours\+7$/m); $mail };
	ok($mail, 'R3461-5.2.1-a it came, with our ENVID') or return;
	my $m = Msad::Report::parse($mail);
	is($m->{per}{'reporting-mta'}, 'dns; next.example', 'it is by Postfix');
	is($m->{rcpts}[0]{action}, 'delivered', 'R3461-5.2.1-a delivered');
	is($m->{rcpts}[0]{'original-recipient'}, 'rfc822;Some+One@z.example', 'R3461-5.2.1-a our ORCPT');
	is(scalar(delivered_to('me@lists.example', qr/queue id $id /)), 0, 'R3461-5.2.1-a and none is ours');
};

$d->done;
done_testing;
