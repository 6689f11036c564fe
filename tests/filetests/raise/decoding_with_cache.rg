; test raise sites=1
; test check

// One new token against keys and values of the past: concatenated, then attended.
graph decoding_with_cache {
  %q = input : f32[2, 2, 1, 4]
  %past_key = input : f32[2, 2, 5, 4]
  %past_value = input : f32[2, 2, 5, 4]
  %key = input : f32[2, 2, 1, 4]
  %value = input : f32[2, 2, 1, 4]
  %k = concat %past_key, %key { axis = -2 }
  %v = concat %past_value, %value { axis = -2 }
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %w = softmax %scaled { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
