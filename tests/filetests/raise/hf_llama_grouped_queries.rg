; test raise sites=1
; test check

// Llama of Hugging Face: repeat_kv expands two heads of keys and values to four of queries.
graph hf_llama_grouped_queries {
  %q = input : f32[2, 4, 6, 4]
  %k0 = input : f32[2, 2, 6, 4]
  %v0 = input : f32[2, 2, 6, 4]
  %k1 = reshape %k0 { shape = [2, 2, 1, 6, 4] }
  %k2 = expand %k1 { shape = [2, 2, 2, 6, 4] }
  %k = reshape %k2 { shape = [2, 4, 6, 4] }
  %v1 = reshape %v0 { shape = [2, 2, 1, 6, 4] }
  %v2 = expand %v1 { shape = [2, 2, 2, 6, 4] }
  %v = reshape %v2 { shape = [2, 4, 6, 4] }
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %mask = input : f32[2, 1, 6, 6]
  %masked = add %scaled, %mask
  %w = softmax %masked { axis = -1 }
  %o = matmul %w, %v
  %back = transpose %o { order = [-4, -2, -3, -1] }
  %y = reshape %back { shape = [2, 6, 16] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
