# A report (RFC 3464) as Python's email package reads it:
#
#	my $m = Msad::Report::parse($octets);
#	$m->{type}, {report}	# multipart/report, its report-type
#	$m->{parts}		# types of its parts
#	$m->{per}		# fields of the message, names in small letters
#	$m->{rcpts}		# the same of each recipient
#	$m->{text}, {third}	# first and third part, decoded
#	$m->{from}, {to}, {auto}, {date}, {id}, {subject}
#	$m->{defects}		# what Python finds wrong with it
package Msad::Report;
use strict;
use warnings;

use File::Temp;
use JSON::PP;

my $python = <<'PY';
import email, email.policy, json, quopri, sys
raw = open(sys.argv[1], "rb").read()
m = email.message_from_bytes(raw)
strict = email.message_from_bytes(raw, policy=email.policy.SMTPUTF8)
parts = list(m.get_payload()) if m.is_multipart() else []
status = []
if len(parts) > 1:
    p = parts[1].get_payload()
    if parts[1].get_content_type() != "message/delivery-status":
        # of RFC 6533: taken for a message, and not decoded
        b = p[0].as_bytes() if isinstance(p, list) else p.encode()
        if (parts[1]["Content-Transfer-Encoding"] or "").lower() == "quoted-printable":
            b = quopri.decodestring(b)
        b = b.decode("utf-8", "replace").replace("\r\n", "\n")
        p = [email.message_from_string(x) for x in b.split("\n\n") if x.strip()]
    status = [dict((k.lower(), str(v)) for k, v in x.items()) for x in p]
def text(part):
    p = part.get_payload(decode=True)
    if p is not None:
        return p.decode("utf-8", "replace").replace("\r\n", "\n")
    p = part.get_payload()
    return p[0].as_string() if isinstance(p, list) else p
defects = []
for x in list(m.walk()) + list(strict.walk()):
    defects += [str(d) for d in x.defects]
print(json.dumps({
    "type": m.get_content_type(), "report": m.get_param("report-type"),
    "parts": [x.get_content_type() for x in parts],
    "per": status[0] if status else {}, "rcpts": status[1:],
    **{k: str(strict[h]) if strict[h] else None for k, h in (
        ("from", "From"), ("to", "To"), ("auto", "Auto-Submitted"),
        ("date", "Date"), ("id", "Message-ID"), ("subject", "Subject"))},
    "text": text(parts[0]) if parts else "",
    "third": text(parts[2]) if len(parts) > 2 else "",
    "defects": defects}))
PY

sub parse {
	my ($octets) = @_;
	my $f = File::Temp->new;
	binmode($f);
	print $f $octets // '';
	close($f);
	open(my $p, '-|', 'python3', '-c', $python, "$f") or die "python3: $!";
	local $/;
	my $m = JSON::PP::decode_json(scalar(<$p>) || '{}');
	$m->{$_} //= [] for qw(parts rcpts defects);
	$m->{per} //= {};
	return $m;
}

1;
