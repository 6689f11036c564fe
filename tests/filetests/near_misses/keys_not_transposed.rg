; test raise sites=1
; test check

// As many tokens as channels, and the key is not transposed: its columns are the keys.
graph keys_not_transposed {
  %q = input : f32[2, 4, 4]
  %k = input : f32[2, 4, 4]
  %v = input : f32[2, 4, 4]
  %s = matmul %q, %k
  %u = mul %s, 0.5
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
