# Two messages of a conversation: stored when the answer comes, not before.
curl -sS "$HOLDFAST_URL/v1/sessions/trip/messages" -H "Authorization: Bearer $HOLDFAST_KEY" \
  -H 'Content-Type: application/json' -H 'Idempotency-Key: trip-1' -d '{
    "user_id": "ann",
    "messages": [
      {"role": "user", "name": "Ann", "content": "We fly to Lisbon on 3 May, window seats please."},
      {"role": "assistant", "content": "Booked: two window seats to Lisbon on 3 May.", "metadata": {"model": "m1"}}
    ]}'

# The conversation, in order, as it was.
curl -sS "$HOLDFAST_URL/v1/sessions/trip/messages?user_id=ann&limit=10" -H "Authorization: Bearer $HOLDFAST_KEY"

# By meaning and by word, at once after the store.
curl -sS "$HOLDFAST_URL/v1/search" -H "Authorization: Bearer $HOLDFAST_KEY" -H 'Content-Type: application/json' \
  -d '{"user_id": "ann", "query": "which journey did she plan?", "top_k": 3, "explain": true}'

# What the model should see next, in at most 500 tokens.
curl -sS "$HOLDFAST_URL/v1/context" -H "Authorization: Bearer $HOLDFAST_KEY" -H 'Content-Type: application/json' \
  -d '{"user_id": "ann", "session_id": "trip", "query": "When do we fly?", "max_tokens": 500}'
