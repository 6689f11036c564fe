; test raise sites=1
; test check

// BLOOM of Hugging Face: slopes times positions as the first operand of baddbmm.
graph hf_bloom_alibi {
  %q = input : f32[4, 6, 4]
  %k = input : f32[4, 6, 4]
  %v = input : f32[4, 6, 4]
  %slopes = weight : f32[4, 1, 1]
  %position = iota { axis = 2 } : f32[1, 1, 6]
  %alibi = mul %slopes, %position
  %kt = transpose %k { order = [-1, -2] }
  %product = matmul %q, %kt
  %alpha = mul %product, 0.5
  %s = add %alibi, %alpha
  %row = iota { axis = 0 } : i32[6, 1]
  %column = iota { axis = 1 } : i32[1, 6]
  %future = lt %row, %column
  %seen = select %future, -3.4028234663852886e38, %s
  %w = softmax %seen { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
