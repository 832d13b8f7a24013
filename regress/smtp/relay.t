# The next hop: TLS, credentials, retries, reports, broken replies.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new(start => 0);
my $u = $d->account(0);
my %hop;
$hop{plain} = $d->nexthop;
$hop{starttls} = $d->nexthop(tls => 'starttls', auth => { relayuser => 'relay pass' });
$hop{tls} = $d->nexthop(tls => 'tls', auth => { relayuser => 'relay pass' },
    mechs => 'LOGIN');
$hop{downgrade} = $d->nexthop;		# does not list STARTTLS
$hop{wrongca} = $d->nexthop(tls => 'tls');
$hop{wrongname} = $d->nexthop(tls => 'tls', host => '127.0.0.2');
$hop{down} = $d->nexthop(down => 1);
$hop{fail} = $d->nexthop(on => { RCPT => sub {
	$_[0] =~ /<bad/ ? '550 5.1.1 no such user' :
	$_[0] =~ /<later/ ? '450 4.2.1 mailbox busy' : undef } });
$hop{reject} = $d->nexthop(on => { EOD => '554 5.7.1 not this one' });
$hop{defer} = $d->nexthop(on => { MAIL => '451 4.3.0 not now' });
$hop{garbage} = $d->nexthop(on => { MAIL => "25x nonsense\r\n" });
$hop{endless} = $d->nexthop(on => { greeting => "220-more\r\n" x 20000 });
$hop{longline} = $d->nexthop(on => { greeting => '220 ' . 'x' x 1048576 });
$hop{closes} = $d->nexthop(on => { EOD => '' });
my %opt = (starttls => "starttls verify ca \"$d->{dir}/ca.pem\" auth <secrets> \"isp\"",
    tls => "tls verify ca \"$d->{dir}/ca.pem\" auth <secrets> \"isp\"",
    downgrade => 'starttls',
    wrongca => 'tls verify',
    wrongname => "tls verify ca \"$d->{dir}/ca.pem\"");
my ($relays, $matches, $table) = ('', '', '');
for my $h (sort keys %hop) {
	my $o = $opt{$h} // '';
	my $host = $h eq 'wrongname' ? '127.0.0.2' : $o =~ /verify/ ? 'localhost' : '127.0.0.1';
	$relays .= "relay \"$h\" { host \"$host\" port $hop{$h}{port} $o " .
	    "retry { 1s } expire 1h }\n";
	$table .= "table \"t-$h\" { \"$u->{name}\" = \"\@$h.example\" }\n";
	$matches .= "match from auth sender <t-$h> relay \"$h\"\n";
}
spew("$d->{dir}/secrets", "isp: relayuser relay pass\n", 0600);
$d->{relay} = $relays;
$d->{tables} = $table . "convert off\ntable secrets file:\"$d->{dir}/secrets\"\n";
$d->{match} = $matches;
$d->write_conf;
$d->start;

my $c = $d->session(0);
my $serial = 0;

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

sub mail {
	my ($hop, $rcpts, $body) = @_;
	my $r = $c->submit("me\@$hop.example", $rcpts // 'rcpt@x.example',
	    "From: <me\@$hop.example>\r\nSubject: to $hop " . ++$serial .
	    "\r\n\r\n" . ($body // "body\r\n"));
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	says($r, 250, '2.0.0', "R5321-6.1-b accepted for $hop");
	return $r;
}

sub item {
	my ($id) = @_;
	my ($q) = grep { $_->{id} eq $id } $d->queue;
	return $q;
}

subtest 'plaintext' => sub {
	my $body = ".\r\n..\r\n.x\r\nend \xc3\xa9\r\n";
	mail('plain', ['a@x.example', 'b@x.example', 'c@y.example'], $body);
	ok(wait_for { $hop{plain}->transactions == 1 }, 'one transaction') or return;
	my ($t) = $hop{plain}->transactions;
	is("@{ $t->{rcpts} }", 'a@x.example b@x.example c@y.example',
	    'R5321-4.5.4.1-b several recipients in it');
	is($t->{from}, 'me@plain.example', 'reverse-path kept');
	is($t->{helo}, 'mail.example.org', 'EHLO says our name');
	is((split(/\r\n\r\n/, $t->{data}, 2))[1], $body,
	    'R5321-4.5.2-a, X-smug-2 body octet for octet');
	ok(wait_for { !$d->queue }, 'and the queue is empty');
	mail('plain') for 1 .. 5;
	ok(wait_for { $hop{plain}->transactions == 6 }, 'five more');
	my %s = map { $_->{session} => 1 } $hop{plain}->transactions;
	cmp_ok(scalar(keys %s), '<', 6, 'connections are used again');
};

subtest 'TLS and credentials' => sub {
	for my $h ('starttls', 'tls') {
		mail($h);
		ok(wait_for { $hop{$h}->transactions == 1 }, "$h: delivered") or next;
		my ($t) = $hop{$h}->transactions;
		ok($t->{tls}, "$h: under TLS");
		is($t->{user}, 'relayuser', "$h: logged in from the table of secrets");
		like($t->{mail}, qr/AUTH=<>/, "R4954-5-b $h: MAIL has AUTH=<>");
	}
	unlike($d->log, qr/relay pass/, 'X-leak-1 no password in the log');
	for my $h (qw(downgrade wrongca wrongname)) {
		my $r = mail($h);
		my $i = wait_for { my $x = item($r->{id});
		    $x && ($x->{rcpts}[0]{last} // '') =~ /\S/ ? $x : 0 };
		ok($i, "R7817-3-a $h: tried and kept") or next;
		is(scalar $hop{$h}->transactions, 0, "$h: nothing is sent");
		like($i->{rcpts}[0]{last}, qr/TLS|certificate|verif/i,
		    "P8 $h: and the queue says why");
		$d->msactl('queue', 'remove', $r->{id});
	}
};

subtest 'down, then back' => sub {
	my $r = mail('down');
	my $i = wait_for { my $x = item($r->{id});
	    $x && ($x->{rcpts}[0]{tries} // 0) > 0 ? $x : 0 };
	ok($i, 'issue A.6 in msactl queue list, tried') or return;
	is($i->{from}, 'me@down.example', 'queue list: from');
	is($i->{user}, $u->{name}, 'queue list: user');
	is($i->{rcpts}[0]{to}, 'rcpt@x.example', 'queue list: recipient');
	$hop{down}->start;
	is($d->msactl('queue', 'flush', $r->{id})->{status}, 0, 'queue flush ID');
	ok(wait_for { $hop{down}->transactions == 1 }, 'R5321-4.5.4.1-a delivered when it is back');
	ok(wait_for { !item($r->{id}) }, 'and gone from the queue');
};

# A DSN as python3 reads it: a list of its parts' types and the status fields.
sub dsn {
	my ($octets) = @_;
	my $path = "$d->{dir}/dsn";
	spew($path, $octets);
	my $py = 'import email,sys,json
m=email.message_from_binary_file(open(sys.argv[1],"rb"))
p=list(m.get_payload()) if m.is_multipart() else []
st=[dict((k.lower(),v) for k,v in x.items()) for x in (p[1].get_payload() if len(p)>1 else [])]
print(json.dumps({"type":m.get_content_type(),"report":m.get_param("report-type"),"parts":[x.get_content_type() for x in p],"status":st,"from":m["From"],"to":m["To"],"auto":m["Auto-Submitted"],"date":m["Date"],"id":m["Message-ID"],"defects":[str(x) for x in m.defects]}))';
	open(my $p, '-|', 'python3', '-c', $py, $path) or die;
	local $/;
	return JSON::PP::decode_json(scalar(<$p>) || '{}');
}

subtest 'partial and permanent' => sub {
	my $r = mail('fail', ['good@x.example', 'bad@x.example', 'bad2@x.example', 'later@x.example']);
	my $dsn;
	ok(wait_for { ($dsn) = grep { $_->{from} eq '' } $hop{fail}->transactions; $dsn },
	    'R5321-3.6.3-a a DSN with MAIL FROM:<>, by the same route') or return;
	is("@{ $dsn->{rcpts} }", 'me@fail.example', 'to the sender');
	my $m = dsn($dsn->{data});
	is($m->{type}, 'multipart/report', 'R6522-3-a multipart/report');
	is($m->{report}, 'delivery-status', 'R6522-3-a report-type');
	is("@{ $m->{parts} }[0,1]", 'text/plain message/delivery-status', 'R6522-3-a parts');
	like($m->{parts}[2] // '', qr{text/rfc822-headers|message/rfc822}, 'R6522-3-a third part');
	is(scalar @{ $m->{defects} }, 0, 'no defects');
	ok($m->{auto} && $m->{date} && $m->{id}, 'R6522-3-a Auto-Submitted, Date, Message-ID');
	my ($per, @rcpt) = @{ $m->{status} };
	like($per->{'reporting-mta'}, qr/^dns; ?mail\.example\.org$/, 'R3464-2.2-a Reporting-MTA');
	ok($per->{'arrival-date'}, 'R3464-2.2-a Arrival-Date');
	is(scalar @rcpt, 2, 'R5321-4.4-f both failures in one DSN, R3461-5.2.8-a only those');
	like($rcpt[0]{'final-recipient'}, qr/^rfc822; ?bad\@x\.example$/, 'R3464-2.3-a Final-Recipient');
	is(lc $rcpt[0]{action}, 'failed', 'R3464-2.3-a Action');
	is($rcpt[0]{status}, '5.1.1', 'R3464-2.3-a Status');
	like($rcpt[0]{'diagnostic-code'}, qr/^smtp; ?550 5\.1\.1 no such user/,
	    'R3464-2.3.5-a Diagnostic-Code');
	ok($rcpt[0]{'remote-mta'}, 'R3464-2.3.5-a Remote-MTA');
	my ($t) = grep { $_->{from} ne '' } $hop{fail}->transactions;
	is("@{ $t->{rcpts} }", 'good@x.example', 'the good one got it');
	my $i = item($r->{id});
	is(join(' ', map { $_->{to} } grep { $_->{state} !~ /done|failed|delivered/ } @{ $i->{rcpts} // [] }),
	    'later@x.example', 'the deferred one stays');
	$d->msactl('queue', 'remove', $r->{id});
};

subtest 'refused at the end of data' => sub {
	my $r = mail('reject');
	ok((wait_for { grep { $_->{from} eq '' && !$_->{accepted} } $hop{reject}->transactions }),
	    'a DSN is tried');
	ok(wait_for { !$d->queue || !grep { $_->{from} =~ /reject/ } $d->queue },
	    'the message is done with');
	is(scalar(grep { $_->{from} eq '' } $hop{reject}->transactions), 1,
	    'R5321-4.5.5-a, X-bounce-1 no DSN about the DSN');
};

subtest 'temporary and broken' => sub {
	my %r = map { $_ => mail($_) } qw(defer garbage endless longline closes);
	for my $h (sort keys %r) {
		my $i = wait_for { my $x = item($r{$h}{id});
		    $x && ($x->{rcpts}[0]{tries} // 0) > 0 ? $x : 0 };
		ok($i, "R5321-4.2-b, R5321-3.8-b, X-nh-1 $h: kept for another try");
	}
	mail('plain');
	ok(wait_for { grep { $_->{data} =~ /to plain $serial\r/ } $hop{plain}->transactions },
	    'other destinations are unaffected');
	my $s = $d->msactl('-j', 'show', 'stats')->{json}[0] // {};
	cmp_ok($s->{'relay.deferred'} // 0, '>', 0, 'relay.deferred counts');
	cmp_ok($s->{'relay.delivered'} // 0, '>', 0, 'relay.delivered counts');
	cmp_ok($s->{'relay.bounced'} // 0, '>', 0, 'relay.bounced counts');
	for my $name ('msad-relay', 'msad-queue') {
		ok($d->child_named($name), "$name still runs");
	}
};

$c->quit;
$d->done;
done_testing;
